/* Small pieces of SVG text. */
#include "plugin/verify_svg.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_vsi.h>
#include <gdal.h>
#include <math.h>

#include "engine/base/error.h"
#include "plugin/gdal_reason.h"

#define CRISP 800u /* pixels that the longer side of a small image is blown up to */
#define FONT "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"

static void
attribute(GString *svg, const char *name, double v)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append_printf(svg, " %s=\"%s\"", name, g_ascii_formatd(text, sizeof text, "%.2f", v));
}

GString *
m2n_svg_new(double width, double height)
{
    GString *svg = g_string_new("<svg xmlns=\"http://www.w3.org/2000/svg\" "
                                "xmlns:xlink=\"http://www.w3.org/1999/xlink\"");

    attribute(svg, "width", width);
    attribute(svg, "height", height);
    g_string_append_printf(svg, " viewBox=\"0 0 %.0f %.0f\" font-family=\"" FONT "\">\n", width,
                           height);
    m2n_svg_rect(svg, 0, 0, width, height, "#ffffff", NULL);
    return svg;
}

char *
m2n_svg_finish(GString *svg)
{
    g_string_append(svg, "</svg>\n");
    return g_string_free(svg, FALSE);
}

void
m2n_svg_text(GString *svg, double x, double y, double size, const char *fill, M2nSvgAnchor anchor,
             const char *text)
{
    static const char *const names[] = {"start", "middle", "end"};
    g_autofree char *escaped = g_markup_escape_text(text, -1);

    g_string_append(svg, "<text");
    attribute(svg, "x", x);
    attribute(svg, "y", y);
    attribute(svg, "font-size", size);
    g_string_append_printf(svg, " fill=\"%s\" text-anchor=\"%s\">%s</text>\n", fill, names[anchor],
                           escaped);
}

void
m2n_svg_line(GString *svg, double x1, double y1, double x2, double y2, const char *stroke,
             double width, const char *dash)
{
    const double x[2] = {x1, x2}, y[2] = {y1, y2};

    m2n_svg_path(svg, x, y, 2, stroke, width, dash);
}

void
m2n_svg_rect(GString *svg, double x, double y, double width, double height, const char *fill,
             const char *stroke)
{
    g_string_append(svg, "<rect");
    attribute(svg, "x", x);
    attribute(svg, "y", y);
    attribute(svg, "width", width);
    attribute(svg, "height", height);
    g_string_append_printf(svg, " fill=\"%s\"", fill);
    if (stroke != NULL)
        g_string_append_printf(svg, " stroke=\"%s\"", stroke);
    g_string_append(svg, "/>\n");
}

void
m2n_svg_circle(GString *svg, double x, double y, double radius, const char *fill)
{
    g_string_append(svg, "<circle");
    attribute(svg, "cx", x);
    attribute(svg, "cy", y);
    attribute(svg, "r", radius);
    g_string_append_printf(svg, " fill=\"%s\"/>\n", fill);
}

void
m2n_svg_path(GString *svg, const double *x, const double *y, guint n, const char *stroke,
             double width, const char *dash)
{
    char a[G_ASCII_DTOSTR_BUF_SIZE], b[G_ASCII_DTOSTR_BUF_SIZE];
    gboolean pen_down = FALSE;

    g_string_append(svg, "<path d=\"");
    for (guint i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) {
            pen_down = FALSE;
            continue;
        }
        g_string_append_printf(svg, "%c%s %s", pen_down ? 'L' : 'M',
                               g_ascii_formatd(a, sizeof a, "%.2f", x[i]),
                               g_ascii_formatd(b, sizeof b, "%.2f", y[i]));
        pen_down = TRUE;
    }
    g_string_append_printf(svg, "\" fill=\"none\" stroke=\"%s\" stroke-linejoin=\"round\"", stroke);
    attribute(svg, "stroke-width", width);
    if (dash != NULL)
        g_string_append_printf(svg, " stroke-dasharray=\"%s\"", dash);
    g_string_append(svg, "/>\n");
}

/* (transfer full) the PNG of rgb, each pixel blown up k x k: viewers smooth small pictures */
static GByte *
encode_png(const guint8 *rgb, guint width, guint height, guint k, vsi_l_offset *size)
{
    static gint serial;
    GDALDriverH mem = GDALGetDriverByName("MEM"), png = GDALGetDriverByName("PNG");
    g_autofree char *name = g_strdup_printf("/vsimem/m2n_svg_%p_%d.png", (const void *)rgb,
                                            g_atomic_int_add(&serial, 1));
    g_autofree guint8 *big = g_new(guint8, (gsize)width * k * height * k * 3);
    GByte *bytes = NULL;

    if (mem == NULL || png == NULL)
        return NULL;
    for (gsize y = 0; y < (gsize)height * k; y++)
        for (gsize x = 0; x < (gsize)width * k; x++)
            for (gsize c = 0; c < 3; c++)
                big[(y * width * k + x) * 3 + c] = rgb[((y / k) * width + x / k) * 3 + c];
    const int w = (int)(width * k), h = (int)(height * k);
    GDALDatasetH canvas = GDALCreate(mem, "", w, h, 3, GDT_Byte, NULL);
    if (canvas == NULL)
        return NULL;
    if (GDALDatasetRasterIO(canvas, GF_Write, 0, 0, w, h, big, w, h, GDT_Byte, 3, NULL, 3, w * 3,
                            1) == CE_None) {
        GDALDatasetH copy = GDALCreateCopy(png, name, canvas, FALSE, NULL, NULL, NULL);
        if (copy != NULL) {
            GDALClose(copy);
            bytes = VSIGetMemFileBuffer(name, size, TRUE);
        }
    }
    GDALClose(canvas);
    g_autofree char *aux = g_strconcat(name, ".aux.xml", NULL);
    VSIUnlink(aux);
    return bytes;
}

gboolean
m2n_svg_image(GString *svg, double x, double y, double box_width, double box_height,
              const guint8 *rgb, guint width, guint height, GError **error)
{
    const guint k = MAX(CRISP / MAX(width, height), 1);
    vsi_l_offset size = 0;
    GByte *bytes = encode_png(rgb, width, height, k, &size);

    if (bytes == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "map: PNG: %s", m2n_gdal_reason(M2N_GDAL_WRITE_SILENT));
        return FALSE;
    }
    g_autofree char *base64 = g_base64_encode(bytes, (gsize)size);
    VSIFree(bytes);
    g_string_append(svg, "<image preserveAspectRatio=\"none\"");
    attribute(svg, "x", x);
    attribute(svg, "y", y);
    attribute(svg, "width", box_width);
    attribute(svg, "height", box_height);
    g_string_append_printf(svg, " xlink:href=\"data:image/png;base64,%s\"/>\n", base64);
    return TRUE;
}

double
m2n_svg_nice_step(double range, guint n)
{
    static const double round[] = {1, 2, 2.5, 5, 10};
    const double raw = range > 0 && isfinite(range) ? range / n : 1;
    const double power = pow(10, floor(log10(raw)));

    for (guint i = 0; i < G_N_ELEMENTS(round); i++)
        if (round[i] * power >= raw * (1 - 1e-9))
            return round[i] * power;
    return 10 * power;
}

char *
m2n_svg_tick(double v, double step)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE], format[16];
    int decimals = 0;

    while (decimals < 9 &&
           fabs(step - round(step * pow(10, decimals)) / pow(10, decimals)) > step * 1e-6)
        decimals++;
    g_snprintf(format, sizeof format, "%%.%df", decimals);
    return g_strdup(g_ascii_formatd(text, sizeof text, format, v));
}
