/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQL with errors that say which statement. */
#ifndef VENEER_DB_H
#define VENEER_DB_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/jsonfile.h"

static inline void cleanup_statement(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

#define AUTO_QUERY CLEANUP(cleanup_statement) sqlite3_stmt

/*
 * All of these take SQL, and behind it @types, which has a letter for each parameter
 * that follows: "s" const char *, "i" int64_t.
 */

/* NULL with @fault set. */
sqlite3_stmt *db_query(sqlite3 *db, struct fault *fault, const char *sql,
		       const char *types, ...);

/* Run it; rows are not wanted. */
#define db_run(db, fault, ...) db_run_query(db, fault, db_query(db, fault, __VA_ARGS__))

/* The first column of the first row. 1, or 0 if there is none, or -1. */
#define db_text(db, fault, text, ...) \
	db_text_query(db, fault, text, db_query(db, fault, __VA_ARGS__))
#define db_number(db, fault, number, ...) \
	db_number_query(db, fault, number, db_query(db, fault, __VA_ARGS__))

/* The first column of all rows, an array. NULL with @fault set. */
#define db_texts(db, fault, ...) db_texts_query(db, fault, db_query(db, fault, __VA_ARGS__))

/* 1: there is a row; 0: no more; -1. */
int db_row(sqlite3 *db, sqlite3_stmt *statement, struct fault *fault);

/* A column's text, "" for NULL; valid until the next row. */
const char *db_column(sqlite3_stmt *statement, int column);

int64_t db_integer(sqlite3_stmt *statement, int column);

/* Each ends @query; NULL: it failed, and @fault says so. */
int db_run_query(sqlite3 *db, struct fault *fault, sqlite3_stmt *query);
int db_text_query(sqlite3 *db, struct fault *fault, char **text, sqlite3_stmt *query);
int db_number_query(sqlite3 *db, struct fault *fault, int64_t *number, sqlite3_stmt *query);
json_t *db_texts_query(sqlite3 *db, struct fault *fault, sqlite3_stmt *query);

int db_fault(sqlite3 *db, struct fault *fault, const char *what);

#endif
