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

static int bind(sqlite3_stmt *statement, const char *types, va_list args)
{
	int result = SQLITE_OK;

	for (int i = 0; result == SQLITE_OK && types[i]; i++) {
		if (types[i] == 's') {
			const char *text = va_arg(args, const char *);

			result = sqlite3_bind_text(statement, i + 1, text, -1, SQLITE_TRANSIENT);
		} else {
			result = sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
		}
	}
	return result;
}

sqlite3_stmt *db_query(sqlite3 *db, struct fault *fault, const char *sql,
		       const char *types, ...)
{
	AUTO_QUERY *statement = NULL;
	sqlite3_stmt *ready;
	va_list args;
	int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	va_start(args, types);
	if (result == SQLITE_OK)
		result = bind(statement, types, args);
	va_end(args);
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

const char *db_column(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

int64_t db_integer(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_int64(statement, column);
}

int db_run_query(sqlite3 *db, struct fault *fault, sqlite3_stmt *query)
{
	AUTO_QUERY *statement = query;
	int more = statement ? 1 : -1;

	while (more > 0)
		more = db_row(db, statement, fault);
	return more;
}

int db_text_query(sqlite3 *db, struct fault *fault, char **text, sqlite3_stmt *query)
{
	AUTO_QUERY *statement = query;
	int result = statement ? db_row(db, statement, fault) : -1;

	*text = result > 0 ? strdup(db_column(statement, 0)) : NULL;
	return result > 0 && !*text ? fault_no_memory(fault) : result;
}

int db_number_query(sqlite3 *db, struct fault *fault, int64_t *number, sqlite3_stmt *query)
{
	AUTO_QUERY *statement = query;
	int result = statement ? db_row(db, statement, fault) : -1;

	*number = result > 0 ? db_integer(statement, 0) : 0;
	return result;
}

json_t *db_texts_query(sqlite3 *db, struct fault *fault, sqlite3_stmt *query)
{
	AUTO_QUERY *statement = query;
	AUTO_JSON *texts = json_array();
	int more = statement ? 1 : -1;
	json_t *result = NULL;

	while (more > 0 && (more = db_row(db, statement, fault)) > 0)
		json_array_append_new(texts, json_string(db_column(statement, 0)));
	if (!more && !texts)
		fault_no_memory(fault);
	if (!more) {
		result = texts;
		texts = NULL;
	}
	return result;
}
