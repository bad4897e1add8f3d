// SPDX-License-Identifier: GPL-2.0-or-later
/* SQL; see db.h. */
#include "store/db.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

int db_fault(sqlite3 *db, struct fault *fault, const char *what)
{
	int code = sqlite3_errcode(db);

	fault_set(fault, EXIT_SYSTEM, "the store's index: %s: %s", what, sqlite3_errmsg(db));
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		fault_advise(fault, "veneer check --repair makes it anew from the files of the store");
	return -1;
}

static sqlite3_stmt *prepare(sqlite3 *db, struct fault *fault, const char *sql,
			     const char *types, va_list args)
{
	AUTO_QUERY *statement = NULL;
	sqlite3_stmt *ready;
	int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	for (int i = 0; result == SQLITE_OK && types[i]; i++) {
		if (types[i] == 's') {
			const char *text = va_arg(args, const char *);

			result = sqlite3_bind_text(statement, i + 1, text, -1, SQLITE_TRANSIENT);
		} else {
			result = sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
		}
	}
	if (result != SQLITE_OK) {
		db_fault(db, fault, sql);
		return NULL;
	}
	ready = statement;
	statement = NULL;
	return ready;
}

int db_row(sqlite3 *db, sqlite3_stmt *statement, struct fault *fault)
{
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return db_fault(db, fault, sqlite3_sql(statement));
	}
}

int db_run(sqlite3 *db, struct fault *fault, const char *sql, const char *types, ...)
{
	AUTO_QUERY *statement = NULL;
	va_list args;
	int result;

	va_start(args, types);
	statement = prepare(db, fault, sql, types, args);
	va_end(args);
	if (!statement)
		return -1;
	while ((result = db_row(db, statement, fault)) > 0)
		;
	return result;
}

sqlite3_stmt *db_query(sqlite3 *db, struct fault *fault, const char *sql,
		       const char *types, ...)
{
	sqlite3_stmt *statement;
	va_list args;

	va_start(args, types);
	statement = prepare(db, fault, sql, types, args);
	va_end(args);
	return statement;
}

const char *db_column(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

/* The first row, which is in @statement while that lives. 1, 0, -1 as db_row(). */
static int first_row(sqlite3 *db, struct fault *fault, sqlite3_stmt **statement,
		     const char *sql, const char *types, va_list args)
{
	*statement = prepare(db, fault, sql, types, args);
	return *statement ? db_row(db, *statement, fault) : -1;
}

int db_text(sqlite3 *db, struct fault *fault, char **text, const char *sql,
	    const char *types, ...)
{
	AUTO_QUERY *statement = NULL;
	va_list args;
	int result;

	*text = NULL;
	va_start(args, types);
	result = first_row(db, fault, &statement, sql, types, args);
	va_end(args);
	if (result > 0) {
		*text = strdup(db_column(statement, 0));
		if (!*text)
			return fault_no_memory(fault);
	}
	return result;
}

int db_number(sqlite3 *db, struct fault *fault, int64_t *number, const char *sql,
	      const char *types, ...)
{
	AUTO_QUERY *statement = NULL;
	va_list args;
	int result;

	*number = 0;
	va_start(args, types);
	result = first_row(db, fault, &statement, sql, types, args);
	va_end(args);
	if (result > 0)
		*number = sqlite3_column_int64(statement, 0);
	return result;
}
