/*
 * database_command.c - reads a database that no server has open, and says what is wrong with it.
 */
#include "server/database_command.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include <unistd.h>

#include "queue/sqlite/path.h"
#include "queue/sqlite/restore.h"
#include "queue/sqlite/salvage.h"
#include "server/calls/json.h"
#include "server/options.h"

static const char check_help[] =
    "usage: sevqd check [--db FILE] [--json]\n"
    "\n"
    "Reads the database, its WAL and every row, and says what is wrong. Changes nothing; needs as\n"
    "much free disk beside the database as it has. The server must not be running.\n"
    "\n"
    "Exits with 0 if everything is whole, 78 if something is damaged, 74 if it cannot be read, 75 "
    "if "
    "a\nserver has it open.\n";

static const char salvage_help[] =
    "usage: sevqd salvage [--db FILE] [--json] NEW_FILE\n"
    "\n"
    "Copies what can be read of a damaged database to NEW_FILE, which must not exist, and says "
    "what\n"
    "is lost. The database itself stays as it is. The server must not be running.\n"
    "An event whose last outcome is lost is pending again, and is delivered once more.\n"
    "\n"
    "To go on with it: move the old file and its -wal away, and NEW_FILE to its place.\n"
    "Exits with 0 if NEW_FILE was written, 74 if it could not be, 75 if a server has the database "
    "open,\n78 if nothing can be read.\n";

static const char restore_help[] =
    "usage: sevqd restore [--db FILE] [--check] [--json] BACKUP\n"
    "\n"
    "Puts a copy of BACKUP in the place of the database, which is kept beside it under another "
    "name.\nBACKUP must be whole. What was taken or acknowledged after the backup is delivered "
    "again, and what\nwas enqueued after it is not there. The server must not be running. --check "
    "only reads BACKUP.\n\n"
    "Exits with 0 if the copy is in place, 78 if BACKUP is damaged, foreign or of a newer "
    "version,\n74 if something could not be read or written, 75 if a server has the database "
    "open.\n";

enum database_command { COMMAND_CHECK, COMMAND_SALVAGE, COMMAND_RESTORE };

struct arguments {
	enum database_command command;
	const char *db, *help, *to; /* to: of restore the file to be restored */
	bool json, check;
};

/* -1: go on. */
static int
read_arguments(struct arguments *args, int argc, char **argv)
{
	static const struct option known[] = {
		{ "db", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "check", no_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'h') {
			fputs(args->help, stdout);
			return EX_OK;
		}
		if (option == '?' || (option == 'c' && args->command != COMMAND_RESTORE))
			break;
		args->check = args->check || option == 'c';
		args->json = args->json || option == 'j';
		args->db = option == 'd' ? optarg : args->db;
	}
	bool has_to = args->command != COMMAND_CHECK;
	args->to = optind < argc && has_to ? argv[optind++] : NULL;
	if (option == -1 && optind == argc && has_to == (args->to != NULL))
		return -1;
	fputs(args->help, stderr);
	return 2;
}

/* --- what is told --- */

static void
print_people(const struct salvage_report *report, bool copied)
{
	printf("%s  %" PRIu64 " events, %" PRIu64 " outcomes, %" PRIu64 " other rows\n",
	       copied ? "copied " : "whole  ", report->events, report->outcomes,
	       report->other_rows);
	printf("log      %u frames in %u commits", report->wal.frames, report->wal.commits);
	if (report->wal.commits_behind > 0)
		printf("; frame %u is damaged, %u whole commits stand behind it",
		       report->wal.frames + 1, report->wal.commits_behind);
	printf("\nSQLite   %s\n", report->integrity);
	if (report->damaged_events > 0)
		printf("damaged  %" PRIu64 " events:", report->damaged_events);
	for (uint64_t i = 0; i < report->damaged_events && i < SALVAGE_IDS_MAX; i++)
		if (report->ids[i] != 0)
			printf(" %" PRId64, report->ids[i]);
	if (report->damaged_events > 0)
		printf("%s\n", report->damaged_events > SALVAGE_IDS_MAX ? " ..." : "");
	if (report->damaged_rows > 0)
		printf("damaged  %" PRIu64 " other rows\n", report->damaged_rows);
	if (report->gaps > 0)
		printf("gaps     %" PRIu64 ", with an unknown number of rows\n", report->gaps);
	puts(salvage_is_whole(report) ? "nothing is damaged" : "something is damaged");
}

static void
print_json(const struct salvage_report *report)
{
	struct buf out = { 0 };

	buf_addf(&out, "{\"whole\":%s,\"events\":%" PRIu64 ",\"outcomes\":%" PRIu64,
		 salvage_is_whole(report) ? "true" : "false", report->events, report->outcomes);
	buf_addf(&out, ",\"otherRows\":%" PRIu64 ",\"damagedRows\":%" PRIu64 ",\"gaps\":%" PRIu64,
		 report->other_rows, report->damaged_rows, report->gaps);
	buf_addf(&out, ",\"damagedEvents\":%" PRIu64 ",\"damagedIds\":[", report->damaged_events);
	const char *before = "";
	for (uint64_t i = 0; i < report->damaged_events && i < SALVAGE_IDS_MAX; i++) {
		if (report->ids[i] == 0)
			continue;
		buf_addf(&out, "%s\"%" PRId64 "\"", before, report->ids[i]);
		before = ",";
	}
	buf_addf(&out,
		 "],\"wal\":{\"frames\":%u,\"commits\":%u,\"commitsBehind\":%u},\"integrity\":",
		 report->wal.frames, report->wal.commits, report->wal.commits_behind);
	json_quote(&out, str_of(report->integrity));
	printf("%.*s}\n", (int)out.len, out.data);
	buf_clear(&out);
}

static int
fail(const char *name, const struct error *err)
{
	fprintf(stderr, "%s: %s\n", name, err->detail);
	if (err->code == ERROR_STORAGE_LOCKED)
		return EX_TEMPFAIL;
	return err->code == ERROR_STORAGE_FAILED || err->code == ERROR_STORAGE_FULL ? EX_IOERR
										    : EX_CONFIG;
}

/* --- running --- */

static int
tell(const struct arguments *args, const struct salvage_report *report, bool copied)
{
	if (args->json)
		print_json(report);
	else
		print_people(report, copied);
	return copied || salvage_is_whole(report) ? EX_OK : EX_CONFIG;
}

/* Reading a backup locks it as a database, which leaves a file. */
static int
check_backup(const char *path, struct salvage_report *report, struct error *err)
{
	char *lock = path_with_suffix(path, ".lock"), *wal = path_with_suffix(path, "-wal");
	bool had_lock = access(lock, F_OK) == 0;
	int failed = 0;

	if (access(wal, F_OK) == 0)
		failed =
		    error_set(err, ERROR_STORAGE_FOREIGN,
			      "%s has a WAL of its own, so it is no backup but a database", path);
	else if (restore_inspect(path, err) != 0 || salvage_check(path, report, err) != 0)
		failed = -1;

	if (!had_lock)
		unlink(lock);
	free(lock);
	free(wal);
	return failed;
}

static int
restore(const struct arguments *args, const char *name, const char *db)
{
	struct salvage_report report;
	struct error err;
	char *aside;

	if (check_backup(args->to, &report, &err) < 0)
		return fail(name, &err);
	if (args->check || !salvage_is_whole(&report))
		return tell(args, &report, false);
	if (restore_database(db, args->to, &aside, &err) < 0)
		return fail(name, &err);
	tell(args, &report, true);
	if (aside != NULL)
		fprintf(stderr, "the old database is %s now\n", aside);
	free(aside);
	return EX_OK;
}

static int
run(const struct arguments *args, const char *name, const char *db)
{
	struct salvage_report report;
	struct error err;
	int failed = args->to != NULL ? salvage_database(db, args->to, &report, &err)
				      : salvage_check(db, &report, &err);

	return failed < 0 ? fail(name, &err) : tell(args, &report, args->to != NULL);
}

/* The database is that of the server's own options: from the environment, or the default. */
static int
command(struct arguments *args, char *name, int argc, char **argv)
{
	char *none[] = { name, NULL };
	struct options options = { 0 };
	struct error err;

	argv[0] = name; /* as getopt says it before what is wrong */
	int code = read_arguments(args, argc, argv);
	if (code >= 0)
		return code;
	optind = 1;
	if (options_load(&options, 1, none, &err) == 0)
		code = (args->command == COMMAND_RESTORE ? restore : run)(
		    args, name, args->db != NULL ? args->db : options.db);
	else
		code = fail(name, &err);
	options_clear(&options);
	return code;
}

int
check_command(int argc, char **argv)
{
	static char name[] = "sevqd check";

	return command(&(struct arguments){ .help = check_help }, name, argc, argv);
}

int
salvage_command(int argc, char **argv)
{
	static char name[] = "sevqd salvage";

	return command(&(struct arguments){ .command = COMMAND_SALVAGE, .help = salvage_help },
		       name, argc, argv);
}

int
restore_command(int argc, char **argv)
{
	static char name[] = "sevqd restore";

	return command(&(struct arguments){ .command = COMMAND_RESTORE, .help = restore_help },
		       name, argc, argv);
}
