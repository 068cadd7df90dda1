// The C libraries that vblktop stands on besides ncurses and libaio, and the CRC-32C that
// recordings carry.
#pragma once

#include "cl_bpf.h"

#include <expat.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

// CRC-32C (Castagnoli, RFC 3720 §12.1) of `count` bytes, continuing from `seed` (0 at the start).
uint32_t cl_crc32c(uint32_t seed, const uint8_t *bytes, size_t count);

// inflateInit2 is a macro that Swift cannot see. Takes gzip and zlib streams.
static inline int cl_inflate_start(z_stream *stream) { return inflateInit2(stream, 15 + 32); }

// A text that SQLite copies before it returns: SQLITE_TRANSIENT is a macro that Swift cannot see.
static inline int cl_bind_text(sqlite3_stmt *statement, int index, const char *text, int count) {
    return sqlite3_bind_text(statement, index, text, count, SQLITE_TRANSIENT);
}

// What variadic sqlite3_db_config sets: no statement can write to SQLite's own tables.
static inline int cl_make_defensive(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
}
