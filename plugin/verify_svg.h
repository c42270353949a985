/* Small pieces of SVG text.  Numbers are written with a point under any locale; text is escaped. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) Opens the document on a white ground. */
GString *m2n_svg_new(double width, double height);
/* (transfer full) Closes it. */
char *m2n_svg_finish(GString *svg);

typedef enum { M2N_SVG_START, M2N_SVG_MIDDLE, M2N_SVG_END } M2nSvgAnchor;

/* x to the right and y down, in pixels; colours and `dash` (stroke-dasharray) as SVG writes them; a `dash`, or
 * the `stroke` of a rectangle, may be NULL. */
void m2n_svg_text(GString *svg, double x, double y, double size, const char *fill,
                  M2nSvgAnchor anchor, const char *text);
void m2n_svg_line(GString *svg, double x1, double y1, double x2, double y2, const char *stroke,
                  double width, const char *dash);
void m2n_svg_rect(GString *svg, double x, double y, double width, double height, const char *fill,
                  const char *stroke);
void m2n_svg_circle(GString *svg, double x, double y, double radius, const char *fill);
/* A line through n points; one that is NaN breaks it. */
void m2n_svg_path(GString *svg, const double *x, const double *y, guint n, const char *stroke,
                  double width, const char *dash);
/* Pixels RGB [height][width][3], drawn as crisp cells in the given box. FALSE: M2N_ERROR_IO, GDAL
 * has no PNG driver. */
gboolean m2n_svg_image(GString *svg, double x, double y, double box_width, double box_height,
                       const guint8 *rgb, guint width, guint height, GError **error);

/* A round step that cuts `range` into at most `n` pieces: 1, 2, 2.5 or 5 times a power of ten. */
double m2n_svg_nice_step(double range, guint n);
/* (transfer full) v with as many decimals as `step` needs. */
char *m2n_svg_tick(double v, double step);

G_END_DECLS
