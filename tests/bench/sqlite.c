/*
 * sqlite.c - bare SQLite: rows with an event's text, several per transaction, each transaction
 * durable, no secondary index.
 */
#include <err.h>
#include <stdio.h>

#include <sqlite3.h>
#include <unistd.h>

#include "modes.h"

#define SCHEMA                                                                                     \
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"                                        \
	"CREATE TABLE event (id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, text TEXT NOT NULL) "    \
	"STRICT"
#define INSERT "INSERT INTO event (ts, text) VALUES (?, ?)"

static void __attribute__((noreturn)) fail(sqlite3 *db)
{
	errx(1, "SQLite: %s", sqlite3_errmsg(db));
}

static void
execute(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(db);
}

static void
insert(struct load *load, sqlite3 *db, sqlite3_stmt *row, struct buf *text)
{
	text->len = 0;
	form_fill(&load->forms[0], load, NULL, text);
	sqlite3_bind_int64(row, 1, (sqlite3_int64)load->now_us);
	sqlite3_bind_text(row, 2, text->data, (int)text->len, SQLITE_STATIC);
	if (sqlite3_step(row) != SQLITE_DONE || sqlite3_changes(db) != 1 ||
	    sqlite3_reset(row) != SQLITE_OK)
		fail(db);
}

static void
insert_rows(struct load *load, sqlite3 *db)
{
	struct buf text = { 0 };
	sqlite3_stmt *row;
	uint64_t begun, i;

	if (sqlite3_prepare_v2(db, INSERT, -1, &row, NULL) != SQLITE_OK)
		fail(db);
	load_begin(load);
	form_add_text(&load->forms[0], load);
	for (; !load_is_over(load); load->rounds_begun++) {
		begun = load->now_us;
		execute(db, "BEGIN");
		for (i = 0; i < load->size; i++)
			insert(load, db, row, &text);
		execute(db, "COMMIT");
		load->now_us = now_us();
		load_count(load, begun, load->now_us);
	}
	sqlite3_finalize(row);
	form_clear(&load->forms[0]);
	buf_clear(&text);
}

static void
run(struct load *load)
{
	char path[4096];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/rows.db", load->dir);
	unlink(path);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		fail(db);
	execute(db, SCHEMA);
	insert_rows(load, db);
	sqlite3_close(db);
	unlink(path);
}

const struct mode rows_mode = { .name = "rows", .run = run };
