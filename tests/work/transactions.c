// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A database, transactions, and a writer that is killed.
 *
 *   transactions make FILE              a new one, without transactions
 *   transactions run FILE MODE N        up to transaction N
 *   transactions kill FILE MODE N SEED  the same, the writer killed at random points
 *   transactions check FILE
 *
 * What transaction n does follows from n alone, and so does every byte of a row
 * from the row and the transaction that wrote it last: what must be in the file
 * after transaction n is computed, not remembered. A transaction that was reported
 * as committed must be there after a kill; the one after it may be.
 *
 * MODE is delete, wal, or map (wal, and the file read through a mapping).
 */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random.h"

#define ROWS 4000		/* of a new database, 2 MiB or so */
#define CHANGES 6		/* rows of one transaction that are written again */
#define ROW_MAX 900

static _Noreturn __attribute__((format(printf, 1, 2))) void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("transactions: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static void need(sqlite3 *db, int code, const char *what)
{
	if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
		die("%s: %s", what, sqlite3_errmsg(db));
}

static void execute(sqlite3 *db, const char *sql)
{
	need(db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;

	need(db, sqlite3_prepare_v2(db, sql, -1, &statement, NULL), sql);
	return statement;
}

static sqlite3 *open_database(const char *path, const char *mode)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		die("cannot open %s: %s", path, sqlite3_errmsg(db));
	if (!strcmp(mode, "delete"))
		execute(db, "PRAGMA journal_mode = DELETE");
	else if (!strcmp(mode, "wal") || !strcmp(mode, "map"))
		execute(db, "PRAGMA journal_mode = WAL");
	else if (*mode)
		die("no mode is called %s", mode);
	if (!strcmp(mode, "map"))
		execute(db, "PRAGMA mmap_size = 67108864");
	execute(db, "PRAGMA synchronous = FULL");
	return db;
}

/* The bytes of a row as this transaction writes them; how many there are. */
static int row_bytes(unsigned int row, unsigned int transaction,
		     unsigned char bytes[ROW_MAX])
{
	struct rng rng = rng_seed((uint64_t)transaction << 32 | row);
	int n = 200 + rng_under(&rng, ROW_MAX - 200);

	for (int i = 0; i < n; i++)
		bytes[i] = rng_under(&rng, 256);
	return n;
}

/* The rows that transaction n writes: some that may exist, and a new one, last. */
static void rows_of(unsigned int n, unsigned int row[CHANGES + 1])
{
	struct rng rng = rng_seed(n);

	for (int i = 0; i < CHANGES; i++)
		row[i] = rng_under(&rng, ROWS + n);
	row[CHANGES] = ROWS + n;
}

/* Every third one deletes a row as well. */
static bool row_deleted(unsigned int n, unsigned int *row)
{
	struct rng rng = rng_seed(n + 0x100000000ULL);

	*row = rng_under(&rng, ROWS + n);
	return n % 3 == 0;
}

static void put_row(sqlite3 *db, sqlite3_stmt *put, unsigned int row, unsigned int n)
{
	unsigned char bytes[ROW_MAX];

	sqlite3_bind_int(put, 1, row);
	sqlite3_bind_int(put, 2, n);
	sqlite3_bind_blob(put, 3, bytes, row_bytes(row, n, bytes), SQLITE_TRANSIENT);
	need(db, sqlite3_step(put), "write a row");
	sqlite3_reset(put);
}

static unsigned int number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *get = prepare(db, sql);
	unsigned int value;

	if (sqlite3_step(get) != SQLITE_ROW)
		die("%s: %s", sql, sqlite3_errmsg(db));
	value = sqlite3_column_int(get, 0);
	sqlite3_finalize(get);
	return value;
}

static unsigned int last_transaction(sqlite3 *db)
{
	return number(db, "SELECT transactions FROM done");
}

static void make(const char *path)
{
	sqlite3 *db = open_database(path, "delete");
	sqlite3_stmt *put;

	execute(db, "BEGIN");
	execute(db, "CREATE TABLE row (id INTEGER PRIMARY KEY, written INT, bytes BLOB)");
	execute(db, "CREATE INDEX row_written ON row (written)");
	execute(db, "CREATE TABLE done (transactions INT)");
	execute(db, "INSERT INTO done VALUES (0)");
	put = prepare(db, "INSERT INTO row VALUES (?, ?, ?)");
	for (unsigned int row = 0; row < ROWS; row++)
		put_row(db, put, row, 0);
	sqlite3_finalize(put);
	execute(db, "COMMIT");
	sqlite3_close(db);
}

/* Goes on after the last one that is there, and writes the number of each to out. */
static void run(const char *path, const char *mode, unsigned int last, int out)
{
	sqlite3 *db = open_database(path, mode);
	sqlite3_stmt *put = prepare(db, "INSERT OR REPLACE INTO row VALUES (?, ?, ?)");
	sqlite3_stmt *drop = prepare(db, "DELETE FROM row WHERE id = ?");
	sqlite3_stmt *done = prepare(db, "UPDATE done SET transactions = ?");

	for (unsigned int n = last_transaction(db) + 1; n <= last; n++) {
		unsigned int row[CHANGES + 1], gone;

		execute(db, "BEGIN IMMEDIATE");
		rows_of(n, row);
		for (int i = 0; i <= CHANGES; i++)
			put_row(db, put, row[i], n);
		if (row_deleted(n, &gone)) {
			sqlite3_bind_int(drop, 1, gone);
			need(db, sqlite3_step(drop), "delete a row");
			sqlite3_reset(drop);
		}
		sqlite3_bind_int(done, 1, n);
		need(db, sqlite3_step(done), "count");
		sqlite3_reset(done);
		execute(db, "COMMIT");
		if (out >= 0 && write(out, &n, sizeof(n)) != sizeof(n))
			die("cannot report: %s", strerror(errno));
	}
	sqlite3_finalize(put);
	sqlite3_finalize(drop);
	sqlite3_finalize(done);
	need(db, sqlite3_close(db), "close");
}

/* Who wrote each row last, after transaction last; -1: it is not there. */
static int *expected(unsigned int last)
{
	unsigned int rows = ROWS + last + 1;
	int *written = malloc(rows * sizeof(*written));

	if (!written)
		die("no memory");
	for (unsigned int row = 0; row < rows; row++)
		written[row] = row < ROWS ? 0 : -1;
	for (unsigned int n = 1; n <= last; n++) {
		unsigned int row[CHANGES + 1], gone;

		rows_of(n, row);
		for (int i = 0; i <= CHANGES; i++)
			written[row[i]] = n;
		if (row_deleted(n, &gone))
			written[gone] = -1;
	}
	return written;
}

static void check_integrity(sqlite3 *db)
{
	sqlite3_stmt *ask = prepare(db, "PRAGMA integrity_check");
	const char *answer;

	if (sqlite3_step(ask) != SQLITE_ROW)
		die("integrity_check: %s", sqlite3_errmsg(db));
	answer = (const char *)sqlite3_column_text(ask, 0);
	if (strcmp(answer, "ok"))
		die("integrity_check: %s", answer);
	sqlite3_finalize(ask);
}

/* Ends the program if anything is not as it must be; the last transaction. */
static unsigned int check(const char *path)
{
	sqlite3 *db = open_database(path, "");
	unsigned int last, row = 0, rows;
	sqlite3_stmt *get;
	int *written;
	int code;

	check_integrity(db);
	last = last_transaction(db);
	written = expected(last);
	rows = ROWS + last + 1;
	get = prepare(db, "SELECT id, written, bytes FROM row ORDER BY id");
	while ((code = sqlite3_step(get)) == SQLITE_ROW) {
		unsigned int id = sqlite3_column_int(get, 0);
		unsigned char bytes[ROW_MAX];
		int n;

		while (row < rows && written[row] < 0)
			row++;
		if (id != row || row == rows)
			die("after transaction %u there is row %u, not %u", last, id, row);
		if (sqlite3_column_int(get, 1) != written[row])
			die("row %u is of transaction %d, not %d", row,
			    sqlite3_column_int(get, 1), written[row]);
		n = row_bytes(row, written[row], bytes);
		if (sqlite3_column_bytes(get, 2) != n ||
		    memcmp(sqlite3_column_blob(get, 2), bytes, n))
			die("row %u has other bytes than transaction %d wrote", row,
			    written[row]);
		row++;
	}
	need(db, code, "read rows");
	while (row < rows && written[row] < 0)
		row++;
	if (row < rows)
		die("after transaction %u row %u is missing", last, row);
	sqlite3_finalize(get);
	free(written);
	need(db, sqlite3_close(db), "close");
	return last;
}

/* Starts a writer, kills it after some reports and a moment. Whether it was killed. */
static bool run_and_kill(const char *path, const char *mode, unsigned int last,
			 struct rng *rng, unsigned int *reported)
{
	unsigned int reports = 1 + rng_under(rng, 6), moment = rng_under(rng, 4000);
	int fd[2], status;
	pid_t pid;

	if (pipe(fd))
		die("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid) {
		close(fd[0]);
		run(path, mode, last, fd[1]);
		_exit(0);
	}
	close(fd[1]);
	while (reports-- && read(fd[0], reported, sizeof(*reported)) > 0)
		;
	usleep(moment);
	kill(pid, SIGKILL);
	while (read(fd[0], reported, sizeof(*reported)) > 0)
		;
	close(fd[0]);
	if (waitpid(pid, &status, 0) != pid)
		die("wait: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status))
		exit(1);	/* it has said why */
	return WIFSIGNALED(status);
}

static void run_with_kills(const char *path, const char *mode, unsigned int last,
			   unsigned int seed)
{
	unsigned int kills = 0, found = check(path), reported = found;
	struct rng rng = rng_seed(seed);

	while (found < last) {
		kills += run_and_kill(path, mode, last, &rng, &reported);
		found = check(path);
		if (found != reported && found != reported + 1)
			die("killed after %u was reported, and %u is the last", reported,
			    found);
		reported = found;
	}
	/* Six commits at most are between two kills. */
	if (kills < last / 24)
		die("only %u kills within %u transactions", kills, last);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "make")) {
		make(argv[2]);
	} else if (argc == 3 && !strcmp(argv[1], "check")) {
		printf("%u transactions, all rows as they must be\n", check(argv[2]));
	} else if (argc == 5 && !strcmp(argv[1], "run")) {
		run(argv[2], argv[3], atoi(argv[4]), -1);
	} else if (argc == 6 && !strcmp(argv[1], "kill")) {
		run_with_kills(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
	} else {
		fprintf(stderr, "usage: transactions make|check|run|kill FILE ...\n");
		return 2;
	}
	return 0;
}
