/*
 * backups.c - POST and GET /v1/backups: copies of the database, one at a time, while it is in use.
 *
 * A name is that of a file in --backup-dir, and of no other place. The chores of the store copy; a
 * look after each turn notices the end.
 */
#include "server/calls/backups.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "queue/clock.h"
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/log.h"

#define NAME_BYTES_MAX 100
#define FILES_MAX 10000 /* that are looked at for the newest */
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

struct backups {
	struct calls *calls;
	const char *directory;
	char name[NAME_BYTES_MAX + 1]; /* of the last one; empty: none was asked for */
	int64_t started_ms, ended_ms;  /* ended 0: it goes on */
};

/*
 * What a backup under way, the server, and the commands that read one name the files beside a
 * database, or a file that is not complete.
 */
static bool
is_side_file(const char *name)
{
	static const char *const ends[] = { ".partial", "-wal",     "-shm",       "-journal",
					    ".lock",    ".restore", ".restoring", ".new",
					    ".reserve", ".check",   ".scratch",   ".part" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t end = strlen(ends[i]);

		if (len >= end && strcmp(name + len - end, ends[i]) == 0)
			return true;
	}
	return false;
}

/* The newest time of the directory's plain files, which were complete when they got their names. */
static uint64_t
find_newest(const char *directory)
{
	DIR *dir = opendir(directory);
	const struct dirent *file = NULL;
	struct stat st;
	int64_t newest = 0;

	for (int i = 0; dir != NULL && i < FILES_MAX && (file = readdir(dir)) != NULL; i++) {
		if (is_side_file(file->d_name) ||
		    fstatat(dirfd(dir), file->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		int64_t ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
		if (ms > newest)
			newest = ms;
	}
	if (dir != NULL)
		closedir(dir);
	return (uint64_t)newest;
}

struct backups *
backups_new(struct calls *calls, const char *directory)
{
	struct backups *backups = mem_alloc(sizeof(*backups));

	backups->calls = calls;
	backups->directory = directory;
	if (directory != NULL)
		calls->stats.last_backup_ms = find_newest(directory);
	return backups;
}

void
backups_free(struct backups *backups)
{
	free(backups);
}

static const struct store_backup *
last(const struct backups *backups)
{
	return &engine_store(backups->calls->engine)->backup;
}

void
backups_look(struct backups *backups)
{
	const struct store_backup *backup = last(backups);

	if (backups->name[0] == '\0' || backups->ended_ms != 0 || backup->state == BACKUP_RUNNING)
		return;
	backups->ended_ms = clock_now().wall_ms;
	if (backup->state != BACKUP_DONE) {
		log_failure(LOG_ERROR, "the backup failed", &backup->error);
		return;
	}
	backups->calls->stats.last_backup_ms = (uint64_t)backups->ended_ms;
	log_line(LOG_INFO, log_msg("backup made"), log_text("name", backups->name),
		 log_number("bytes", (long long)backup->bytes));
}

/* --- the calls --- */

static const char *const states[] = {
	[BACKUP_RUNNING] = "running", [BACKUP_DONE] = "done", [BACKUP_FAILED] = "failed"
};

static void
add_backup(struct buf *out, const struct backups *backups)
{
	const struct store_backup *backup = last(backups);

	buf_addf(out,
		 "{\"name\":\"%s\",\"state\":\"%s\",\"startedTs\":%lld,\"endedTs\":", backups->name,
		 states[backup->state], (long long)backups->started_ms);
	json_add_time(out, backups->ended_ms);
	buf_addf(out,
		 ",\"bytes\":%llu,\"copied\":%llu,\"error\":", (unsigned long long)backup->bytes,
		 (unsigned long long)backup->copied);
	json_add_text(out,
		      backup->state == BACKUP_FAILED ? str_of(backup->error.detail) : STR_NULL);
	BUF_ADD_LITERAL(out, "}");
}

static void
answer(struct request *request, int status)
{
	const struct backups *backups = calls_of(request)->backups;
	struct buf *out = reply_begin(request);

	BUF_ADD_LITERAL(out, "{\"directory\":");
	json_add_text(out, str_of(backups->directory));
	BUF_ADD_LITERAL(out, ",\"backup\":");
	if (backups->name[0] != '\0')
		add_backup(out, backups);
	else
		BUF_ADD_LITERAL(out, "null");
	BUF_ADD_LITERAL(out, "}");
	reply_send(request, &(struct reply){ .status = status });
}

void
backups_get(struct request *request)
{
	if (query_read(request, NULL, 0, NULL, NULL) == 0)
		answer(request, 200);
}

struct backup_body {
	struct str name;
};

static const struct field fields[] = {
	FIELD_ROW("name", TEXT, true, offsetof(struct backup_body, name), 1, NAME_BYTES_MAX),
};

static int
begin(struct backups *backups, struct str name, struct error *err)
{
	struct buf path = { 0 };
	char text[NAME_BYTES_MAX + 1];
	int failed;

	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.s);
	if (strspn(text, LETTERS "-._") != name.len || text[0] == '.')
		return error_set_field(err, "/name",
				       "must be of letters, digits and -._, and not begin with .");
	if (is_side_file(text))
		return error_set_field(err, "/name",
				       "must not end like a file beside a database, such as -wal");
	if (backups->directory == NULL)
		return error_set(err, ERROR_CONFLICT, "sevqd runs without --backup-dir");
	buf_addf(&path, "%s/%s%c", backups->directory, text, '\0');
	failed = engine_backup(backups->calls->engine, path.data, err);
	buf_clear(&path);
	if (failed)
		return -1;
	memcpy(backups->name, text, sizeof(text));
	backups->started_ms = clock_now().wall_ms;
	backups->ended_ms = 0;
	return 0;
}

void
backups_post(struct request *request)
{
	struct backup_body body = { .name = STR_NULL };
	struct error err;

	if (body_read(request, fields, 1, &body, NULL) != 0)
		return;
	if (begin(calls_of(request)->backups, body.name, &err) != 0)
		problem_send(request, &err);
	else
		answer(request, 202);
}
