/* The forecast at one place, with libmet2net alone: read_forecast FORECAST.json LONGITUDE LATITUDE
 * Build: cc read_forecast.c $(pkg-config --cflags --libs met2net) */
#include <met2net.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int
main(int argc, char **argv)
{
    met2net_error error = {0, "usage: read_forecast FORECAST.json LONGITUDE LATITUDE"};
    met2net *forecast = argc == 4 ? met2net_open(argv[1], NULL, &error) : NULL;
    if (forecast == NULL)
        return fprintf(stderr, "%s\n", error.message), argc == 4 ? 1 : 2;

    const met2net_info *info = met2net_describe(forecast);
    const double *g = info->geotransform;
    const double column = (atof(argv[2]) - g[0]) / g[1], row = (atof(argv[3]) - g[3]) / g[5];
    if (!(column >= 0 && column < info->width && row >= 0 && row < info->height))
        return fprintf(stderr, "%s %s lies outside the forecast\n", argv[2], argv[3]), 1;

    float *field = malloc(sizeof(float) * info->width * info->height);
    for (unsigned step = 0; step < info->n_steps; step++) {
        const time_t valid = (time_t)(info->init_time + info->first_lead + step * info->time_step);
        char when[32];
        strftime(when, sizeof when, "%Y-%m-%dT%H:%MZ", gmtime(&valid));
        printf("%s", when);
        for (unsigned v = 0; v < info->n_variables; v++) {
            if (!met2net_read(forecast, v, step, field, &error))
                return fprintf(stderr, "%s\n", error.message), 1;
            const float value = field[(size_t)row * info->width + (size_t)column];
            printf("  %s %.2f %s", info->variables[v].name, value, info->variables[v].units);
        }
        printf("\n");
    }
    free(field);
    met2net_close(forecast);
    return 0;
}
