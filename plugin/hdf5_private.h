/* Private to the look at HDF5 files: numbers out of blocks, and links out of the heap of a large group. */
#pragma once
#include "engine/base/source.h"

G_BEGIN_DECLS

typedef struct {
    M2nSource *source;
    guint address_size, length_size; /* octets of an address, of a length: 2, 4 or 8 */
    guint budget;                    /* blocks that may still be read and looked for: a file may lead in circles */
} M2nHdf5;

/* A walk through octets; `bad` when it left them, and then every number is 0. */
typedef struct {
    const guint8 *p;
    gsize left;
    gboolean bad;
} M2nHdf5Cursor;

typedef gboolean (*M2nHdf5LinkFunc)(M2nHdf5Cursor link, gpointer data, GError **error);

guint64 m2n_hdf5_number(M2nHdf5Cursor *c, guint octets); /* little-endian */
void m2n_hdf5_skip(M2nHdf5Cursor *c, gsize octets);
guint64 m2n_hdf5_address(const M2nHdf5 *h, M2nHdf5Cursor *c); /* G_MAXUINT64: none */

/* (transfer full) A block and a cursor over it, past its signature if it has one.  NULL: M2N_ERROR_FORMAT, _IO. */
guint8 *m2n_hdf5_block(M2nHdf5 *h, guint64 address, guint64 octets, const char *signature, M2nHdf5Cursor *c, GError **error);

/* FALSE with M2N_ERROR_FORMAT. */
gboolean m2n_hdf5_damaged(const M2nHdf5 *h, const char *what, GError **error);

/* Every link message of a group whose links lie in a fractal heap, found through a v2 B-tree. */
gboolean m2n_hdf5_dense_links(M2nHdf5 *h, guint64 heap, guint64 tree, M2nHdf5LinkFunc f, gpointer data, GError **error);

G_END_DECLS
