/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQL with errors that say which statement. */
#ifndef VENEER_DB_H
#define VENEER_DB_H

#include <sqlite3.h>

#include "base/fault.h"

static inline void cleanup_statement(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

#define AUTO_QUERY CLEANUP(cleanup_statement) sqlite3_stmt

/*
 * @types has a letter for each parameter that follows: "s" const char *,
 * "i" int64_t.
 */

/* Run it; rows are not wanted. */
int db_run(sqlite3 *db, struct fault *fault, const char *sql, const char *types, ...);

/* NULL with @fault set. */
sqlite3_stmt *db_query(sqlite3 *db, struct fault *fault, const char *sql,
		       const char *types, ...);

/* 1: there is a row; 0: no more; -1. */
int db_row(sqlite3 *db, sqlite3_stmt *statement, struct fault *fault);

/* A column's text, "" for NULL; valid until the next row. */
const char *db_column(sqlite3_stmt *statement, int column);

/* The first column of the first row. 1, or 0 if there is none, or -1. */
int db_text(sqlite3 *db, struct fault *fault, char **text, const char *sql,
	    const char *types, ...);
int db_number(sqlite3 *db, struct fault *fault, int64_t *number, const char *sql,
	      const char *types, ...);

int db_fault(sqlite3 *db, struct fault *fault, const char *what);

#endif
