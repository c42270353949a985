/* Values out of NetCDF and Zarr archives: slabs of times, unpacked, turned north-up, regridded. */
#include <cpl_error.h>
#include <math.h>

#include "engine/base/error.h"
#include "grib/units.h"
#include "plugin/gdal_reason.h"
#include "plugin/gridded_index.h"

#define SLAB_VALUES (1u << 23) /* read ahead: 64 MiB of double for each variable in use */
#define BYTES_PER_VALUE 24u /* of a slab being read: two versions of double, the field as float */
#define CHUNKS 2u           /* as it is stored and as it is unpacked */
#define KEPT_LEAST ((guint64)16 << 20) /* of unpacked chunks, by netCDF 4.9 for each array until the file is closed */
#define KEPT_MOST ((guint64)64 << 20)
#define MAX_DIMS 8

typedef M2nGriddedVariable Variable;
typedef M2nGriddedPiece Piece;
typedef M2nGriddedMoment Moment;

/* How packed numbers become values. */
typedef struct {
    double scale, offset, fill[2];
    int n_fill;
} Packing;

static Packing
packing_of(GDALMDArrayH array)
{
    Packing p = {.scale = 1};
    int has = 0;
    const double scale = GDALMDArrayGetScale(array, &has);
    if (has)
        p.scale = scale;
    const double offset = GDALMDArrayGetOffset(array, &has);
    if (has)
        p.offset = offset;
    const double fill = GDALMDArrayGetNoDataValueAsDouble(array, &has);
    if (has)
        p.fill[p.n_fill++] = fill;
    GDALAttributeH missing = GDALMDArrayGetAttribute(array, "missing_value");
    if (missing != NULL) {
        p.fill[p.n_fill++] = GDALAttributeReadAsDouble(missing);
        GDALAttributeRelease(missing);
    }
    return p;
}

static void
unpack(const Packing *p, double *v, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        for (int k = 0; k < p->n_fill; k++)
            if (v[i] == p->fill[k])
                v[i] = NAN;
        v[i] = v[i] * p->scale + p->offset;
    }
}

/* Times [first, first + n) of one version into out[n][height][width], whatever the order of the
 * array's dimensions and the direction of its rows. */
static gboolean
read_raw(GDALMDArrayH array, const Piece *p, gsize version, gsize first, gsize n, double *out)
{
    const M2nAxes *x = p->axes;
    const gsize w = x->grid->width, h = x->grid->height;
    GUInt64 start[MAX_DIMS] = {0};
    size_t count[MAX_DIMS];
    GInt64 step[MAX_DIMS];
    GPtrDiff_t stride[MAX_DIMS];

    for (guint i = 0; i < x->n_dims; i++) {
        count[i] = 1;
        step[i] = 1;
        stride[i] = 1;
    }
    if (x->time >= 0) {
        start[x->time] = first;
        count[x->time] = n;
        stride[x->time] = (GPtrDiff_t)(w * h);
    }
    if (x->level >= 0)
        start[x->level] = p->level;
    if (x->version >= 0)
        start[x->version] = version;
    count[x->y] = h;
    stride[x->y] = (GPtrDiff_t)w;
    step[x->y] = x->flip_y ? -1 : 1;
    start[x->y] = x->flip_y ? h - 1 : 0;
    count[x->x] = w;
    step[x->x] = x->flip_x ? -1 : 1;
    start[x->x] = x->flip_x ? w - 1 : 0;
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float64);
    const gboolean ok = GDALMDArrayRead(array, start, count, step, stride, type, out, NULL, 0) && !m2n_gdal_file_missed();
    GDALExtendedDataTypeRelease(type);
    return ok;
}

/* CDS delivers final (1) and early (5) ERA5 side by side, each missing where the other is. */
static gboolean
read_versions(GDALMDArrayH array, const Piece *p, gsize first, gsize n, double *out)
{
    const gsize total = n * p->axes->grid->n_points;
    const Packing packing = packing_of(array);

    if (!read_raw(array, p, 0, first, n, out))
        return FALSE;
    unpack(&packing, out, total);
    for (gsize k = 1; k < p->axes->n_versions; k++) {
        g_autofree double *other = g_try_new(double, total);
        if (other == NULL || !read_raw(array, p, k, first, n, other))
            return FALSE;
        unpack(&packing, other, total);
        for (gsize i = 0; i < total; i++)
            if (isnan(out[i]))
                out[i] = other[i];
    }
    return TRUE;
}

/* What stays between two fields: what was read ahead, regridding weights, the library's chunks. */
static guint64
held(const M2nGridded *a)
{
    guint64 bytes = a->regrid != NULL ? m2n_regrid_memory(a->regrid) : 0;

    for (guint i = 0; i < a->variables->len; i++) {
        const Variable *v = g_ptr_array_index(a->variables, i);
        bytes += v->slab_n * v->grid->n_points * sizeof *v->slab;
    }
    for (guint i = 0; i < a->files->len; i++) {
        const M2nGriddedFile *f = g_ptr_array_index(a->files, i);
        bytes += f->dataset != NULL ? f->kept : 0;
    }
    return bytes;
}

static guint64
kept_of(guint64 chunk)
{
    return chunk == 0 ? 0 : CLAMP(2 * chunk, KEPT_LEAST, KEPT_MOST);
}

void
m2n_gridded_forget_slabs(M2nGridded *a)
{
    for (guint i = 0; i < a->variables->len; i++) {
        Variable *v = g_ptr_array_index(a->variables, i);
        g_clear_pointer(&v->slab, g_free);
        v->slab_n = 0;
    }
}

static void
close_files(M2nGridded *a)
{
    for (guint i = 0; i < a->files->len; i++) {
        M2nGriddedFile *f = g_ptr_array_index(a->files, i);
        g_clear_pointer(&f->dataset, GDALClose);
    }
}

/* How many values to read ahead; 0: one field alone is more than is allowed: M2N_ERROR_MEMORY. */
static gsize
slab_values(M2nGridded *a, const Piece *p, GError **error)
{
    const gsize points = p->axes->grid->n_points;
    const guint64 beside = CHUNKS * p->chunk + kept_of(p->chunk),
                  one = (guint64)points * BYTES_PER_VALUE + beside;

    if (a->max_memory == 0)
        return MAX(SLAB_VALUES, points);
    /* each variable has a share to keep; where the shares are too small each field is read when it is wanted */
    const guint64 share = a->max_memory / a->variables->len / BYTES_PER_VALUE;
    const gsize values = (gsize)MAX(MIN(SLAB_VALUES, share), points) / points * points;
    if (held(a) + (guint64)values * BYTES_PER_VALUE + beside <= a->max_memory)
        return values;
    close_files(a);
    if (held(a) + (guint64)values * BYTES_PER_VALUE + beside <= a->max_memory)
        return values;
    m2n_gridded_forget_slabs(a);
    if (held(a) + one <= a->max_memory)
        return points;
    const M2nGriddedFile *file = g_ptr_array_index(a->files, p->file);
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                "%s: %s: %" G_GSIZE_FORMAT " points%s take %" G_GUINT64_FORMAT
                " MiB, %" G_GUINT64_FORMAT " MiB are allowed",
                file->name, p->array, points, p->chunk > points * sizeof(double) ? ", in chunks," : "",
                ((held(a) + one) >> 20) + 1, a->max_memory >> 20);
    return 0;
}

/* The times from `first` on into slab[n][points]. */
static gboolean
read_slab(M2nGridded *a, const Piece *p, gsize first, gsize n, double *slab, GError **error)
{
    M2nGriddedFile *file = g_ptr_array_index(a->files, p->file);
    GDALDatasetH dataset = m2n_gridded_dataset(a, p->file, error);

    if (dataset == NULL)
        return FALSE;
    m2n_gdal_try();
    GDALGroupH group = GDALDatasetGetRootGroup(dataset);
    GDALMDArrayH array = group != NULL ? GDALGroupOpenMDArray(group, p->array, NULL) : NULL;
    const gboolean ok =
        array != NULL && p->axes->n_dims <= MAX_DIMS && read_versions(array, p, first, n, slab);
    CPLPopErrorHandler();
    file->kept += kept_of(p->chunk);
    if (array != NULL)
        GDALMDArrayRelease(array);
    if (group != NULL)
        GDALGroupRelease(group);
    if (!ok)
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s: cannot be read: %s", file->name,
                    p->array, m2n_gdal_reason(M2N_GDAL_READ_SILENT));
    return ok;
}

static gboolean
load_slab(M2nGridded *a, Variable *v, const Moment *m, GError **error)
{
    const Piece *p = g_ptr_array_index(v->pieces, m->piece);
    const M2nGriddedFile *file = g_ptr_array_index(a->files, p->file);
    const gsize points = p->axes->grid->n_points;

    g_clear_pointer(&v->slab, g_free);
    v->slab_n = 0;
    const gsize values = slab_values(a, p, error);
    if (values == 0)
        return FALSE;
    const gsize room = values / points;
    const gsize first = m->at - m->at % room, n = MIN(room, p->axes->n_times - first);
    g_autofree double *slab = g_try_new(double, n *points);
    if (slab == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: %s: no memory for %" G_GSIZE_FORMAT " values", file->name, p->array,
                    n * points);
        return FALSE;
    }
    if (!read_slab(a, p, first, n, slab, error))
        return FALSE;
    v->slab = g_steal_pointer(&slab);
    v->slab_piece = m->piece;
    v->slab_first = first;
    v->slab_n = n;
    return TRUE;
}

/* One field in the wanted unit on its own grid. */
gboolean
m2n_gridded_field(M2nGridded *a, M2nGriddedVariable *v, const M2nGriddedMoment *m,
                  const char *units, float *out, GError **error)
{
    const char *stated =
        *v->units != 0 ? v->units : units; /* nothing said: as the model wants it */
    double factor, offset;

    if (!m2n_units_conversion(stated, units, &factor, &offset, error)) {
        g_prefix_error(error, "%s: ", v->id.name);
        return FALSE;
    }
    if (v->slab_n == 0 || v->slab_piece != m->piece || m->at < v->slab_first ||
        m->at >= v->slab_first + v->slab_n)
        if (!load_slab(a, v, m, error))
            return FALSE;
    const double *in = v->slab + (m->at - v->slab_first) * v->grid->n_points;
    for (gsize i = 0; i < v->grid->n_points; i++)
        out[i] = (float)(in[i] * factor + offset);
    return TRUE;
}
