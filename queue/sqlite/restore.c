/*
 * restore.c - puts a backup in the place of the database.
 *
 * The backup is copied first, whole and synced. The copy is then named so that no server starts
 * while the old database and its WAL are moved aside: a WAL must never meet another database. Last,
 * the copy gets its place.
 */
#include "queue/sqlite/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <unistd.h>

#include "queue/clock.h"
#include "queue/sqlite/format.h"
#include "queue/sqlite/open.h"
#include "queue/sqlite/path.h"

#define COPY_BYTES 65536
#define HEADER_BYTES 100

static int
fail(const char *what, const char *path, struct error *err)
{
	return error_set(err, ERROR_STORAGE_FAILED, "cannot %s %s: %s", what, path,
			 strerror(errno));
}

int
restore_inspect(const char *from, struct error *err)
{
	unsigned char header[HEADER_BYTES];
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? pread(fd, header, sizeof(header), 0) : -1;

	if (n < 0)
		fail("read", from, err);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	if (n < HEADER_BYTES || memcmp(header, "SQLite format 3", 16) != 0 ||
	    format_be32(header + 68) != APPLICATION_ID)
		return error_set(err, ERROR_STORAGE_FOREIGN, "%s is not a sevq database", from);
	return 0;
}

static int
copy_bytes(int from, int to)
{
	char part[COPY_BYTES];
	ssize_t n, written = 0;

	while ((n = read(from, part, sizeof(part))) > 0)
		for (ssize_t done = 0; done < n; done += written)
			if ((written = write(to, part + done, (size_t)(n - done))) < 0)
				return -1;
	return n < 0 ? -1 : fsync(to);
}

static int
copy_file(const char *from, const char *to, struct error *err)
{
	int source = open(from, O_RDONLY | O_CLOEXEC), target = -1, failed = 0;

	if (source < 0)
		return fail("open", from, err);
	target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (target < 0 || copy_bytes(source, target) != 0)
		failed = fail("write", to, err);
	if (failed && target >= 0)
		unlink(to);
	if (target >= 0)
		close(target);
	close(source);
	return failed;
}

/* "<db>.before-20270131T120000Z" */
static char *
make_aside(const char *db)
{
	time_t now = (time_t)(clock_now().wall_ms / 1000);
	char suffix[40];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(suffix, sizeof(suffix), ".before-%Y%m%dT%H%M%SZ", &tm);
	return path_with_suffix(db, suffix);
}

/* Renames what is there; a name that is taken is never written over. */
static int
move(const char *db, const char *suffix, const char *aside, bool *moved, struct error *err)
{
	char *from = path_with_suffix(db, suffix), *to = path_with_suffix(aside, suffix);
	int failed = 0;

	if (access(from, F_OK) == 0) {
		*moved = true;
		if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
			failed = fail("move aside", from, err);
	}
	free(from);
	free(to);
	return failed;
}

/* The WAL goes after its database: an old one without its WAL would look like a whole one. */
static int
exchange(const char *db, const char *under_way, char **ret_aside, struct error *err)
{
	char *aside = make_aside(db), *index = path_with_suffix(db, "-shm");
	bool moved = false;
	int failed = move(db, "", aside, &moved, err) || move(db, "-wal", aside, &moved, err);

	if (!failed) {
		unlink(index); /* of the WAL; made anew */
		failed = rename(under_way, db) != 0 ? fail("rename", under_way, err)
						    : path_sync_directory(db, err);
	}
	free(index);
	if (failed || !moved) {
		free(aside);
		aside = NULL;
	}
	*ret_aside = aside;
	return failed ? -1 : 0;
}

static int
restore_locked(const char *db, const char *from, char **ret_aside, struct error *err)
{
	char *copy = path_with_suffix(db, ".restore"),
	     *under_way = path_with_suffix(db, OPEN_RESTORING);
	int failed = copy_file(from, copy, err);

	if (!failed && rename(copy, under_way) != 0)
		failed = fail("rename", copy, err);
	if (!failed && (failed = path_sync_directory(db, err)) == 0)
		failed = exchange(db, under_way, ret_aside, err);
	free(copy);
	free(under_way);
	return failed;
}

int
restore_database(const char *db, const char *from, char **ret_aside, struct error *err)
{
	struct sqlite_store lock = { .path = realpath(db, NULL), .lock_fd = -1 };
	int failed = -1;

	*ret_aside = NULL;
	if (lock.path == NULL)
		lock.path = path_with_suffix(db, "");
	if (path_make_directories(lock.path, err) == 0 && open_lock(&lock, err) == 0)
		failed = restore_locked(lock.path, from, ret_aside, err);
	if (lock.lock_fd >= 0)
		close(lock.lock_fd);
	free(lock.path);
	return failed;
}
