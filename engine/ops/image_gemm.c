/* Products of packed weights and images: copies around panel_gemm.c. */
#include "engine/ops/image_gemm.h"

#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"
#include "engine/ops/pointwise.h"

/* ---- reference ----------------------------------------------------------------------- */

static void
fetch_ref(gsize channels, gsize panels, gsize pitch, const float *x, const float *scale,
          const float *shift, float *panel)
{
    for (gsize c = 0; c < channels; c++) {
        const double a = scale != NULL ? (double)scale[c] : 1.0;
        const double b = shift != NULL ? (double)shift[c] : 0.0;

        for (gsize p = 0; p < panels * M2N_PANEL; p++)
            panel[(p / M2N_PANEL * channels + c) * M2N_PANEL + p % M2N_PANEL] =
                (float)(a * (double)x[c * pitch + p] + b);
    }
}

#if M2N_HAVE_X86
/* ---- bodies for vectors ---------------------------------------------------------------- */

M2N_BODY void
fetch_line(float *to, const float *x, float scale, float shift)
{
    M2N_STORE(to, M2N_LOAD(x) * scale + shift);
    M2N_STORE(to + M2N_LANES, M2N_LOAD(x + M2N_LANES) * scale + shift);
}

M2N_BODY void
fetch_body(gsize channels, gsize panels, gsize pitch, const float *x, const float *scale,
           const float *shift, float *panel)
{
    for (gsize c = 0; c < channels; c++, x += pitch, panel += M2N_PANEL) {
        const float a = scale != NULL ? scale[c] : 1.0f, b = shift != NULL ? shift[c] : 0.0f;

        fetch_line(panel, x, a, b);
        if (panels == 2)
            fetch_line(panel + channels * M2N_PANEL, x + M2N_PANEL, a, b);
    }
}

/* ---- AVX2 and AVX-512 ------------------------------------------------------------------ */

M2N_AVX2 static void
fetch_avx2(gsize channels, gsize panels, gsize pitch, const float *x, const float *scale,
           const float *shift, float *panel)
{
    fetch_body(channels, panels, pitch, x, scale, shift, panel);
}

M2N_AVX512 static void
fetch_avx512(gsize channels, gsize panels, gsize pitch, const float *x, const float *scale,
             const float *shift, float *panel)
{
    fetch_body(channels, panels, pitch, x, scale, shift, panel);
}

#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nImageGemmVariant m2n_image_gemm_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, fetch_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, fetch_avx2},
    {M2N_ISA_AVX512, fetch_avx512},
#endif
};

gsize
m2n_image_gemm_packed_floats(gsize out, gsize in)
{
    return m2n_panel_packed_floats(out, in) + m2n_panel_expanded_floats(out, in);
}

static void
expand(gsize out, gsize in, float *packed)
{
    m2n_panel_expand(out, in, 0, 1, packed, packed + m2n_panel_packed_floats(out, in));
}

void
m2n_image_gemm_pack(gsize out, gsize in, const float *w, float *packed)
{
    m2n_panel_pack(out, in, w, packed);
    expand(out, in, packed);
}

void
m2n_image_gemm_pack_transposed(gsize out, gsize in, const float *w, float *packed)
{
    m2n_panel_pack_transposed(out, in, w, packed);
    expand(out, in, packed);
}

gsize
m2n_image_gemm_scratch(gsize out, gsize in)
{
    return (2 * in + out) * M2N_PANEL + m2n_panel_scratch(out, in);
}

/* The last, narrow panel of an image: lanes past the last position are zero. */
static void
narrow_panel(gsize out, gsize in, gsize n, gsize pitch, const float *packed, const float *bias,
             const float *x, const float *scale, const float *shift, gboolean add, float *y,
             float *scratch)
{
    float *in_panel = scratch, *out_panel = scratch + in * M2N_PANEL;

    memset(in_panel, 0, in * M2N_PANEL * sizeof *in_panel);
    for (gsize i = 0; i < in; i++)
        m2n_scale_shift(in_panel + i * M2N_PANEL, x + i * pitch, n, scale != NULL ? scale[i] : 1.0f,
                        shift != NULL ? shift[i] : 0.0f);
    m2n_panel_gemm(out, in, packed, bias, in_panel, out_panel, out_panel + out * M2N_PANEL);
    for (gsize o = 0; o < out; o++)
        for (gsize p = 0; p < n; p++)
            y[o * pitch + p] = out_panel[o * M2N_PANEL + p] + (add ? y[o * pitch + p] : 0.0f);
}

void
m2n_image_gemm(gsize out, gsize in, gsize n, gsize pitch, const float *packed, const float *bias,
               const float *x, const float *scale, const float *shift, gboolean add, float *y,
               float *scratch)
{
    float *panel[2] = {scratch, scratch + in * M2N_PANEL}, *rest = scratch + 2 * in * M2N_PANEL;

    for (gsize j = 0; j < n;) {
        const gsize whole = MIN(2, (n - j) / M2N_PANEL);

        if (whole == 0) {
            narrow_panel(out, in, n - j, pitch, packed, bias, x + j, scale, shift, add, y + j,
                         scratch);
            return;
        }
        M2N_DISPATCH(m2n_image_gemm_variants, fetch)
        (in, whole, pitch, x + j, scale, shift, panel[0]);
        m2n_panel_gemm_rows(whole, out, in, packed, packed + m2n_panel_packed_floats(out, in), bias,
                            (const float *const[]){panel[0], panel[1]}, pitch, add, y + j, rest);
        j += whole * M2N_PANEL;
    }
}
