/*
 * restore.c - puts a backup in the place of the database.
 *
 * The backup is copied first, whole and synced. The copy is then named so that no server starts
 * while the old database and its WAL are moved aside: a WAL must never meet another database. Last,
 * the copy gets its place.
 */
#include "queue/sqlite/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <unistd.h>

#include "queue/clock.h"
#include "queue/sqlite/format.h"
#include "queue/sqlite/leap.h"
#include "queue/sqlite/open.h"
#include "queue/sqlite/path.h"
#include "queue/sqlite/transaction.h"

#define COPY_BYTES 65536
#define BEFORE ".before-"
#define NAMES_MAX 1000

static int
fail(const char *what, const char *path, struct error *err)
{
	return error_set(err, ERROR_STORAGE_FAILED, "cannot %s %s: %s", what, path,
			 strerror(errno));
}

int
restore_inspect(const char *from, struct error *err)
{
	unsigned char header[FORMAT_HEADER_BYTES];
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? pread(fd, header, sizeof(header), 0) : -1;

	if (n < 0)
		fail("read", from, err);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	if (n < FORMAT_HEADER_BYTES || !format_is_ours(header))
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
	return n < 0 ? -1 : 0;
}

/* To the owner of the database, or of its directory: root restores for a server that is not root.
 */
static int
give_to_owner(const char *db, int fd)
{
	char *above = path_with_suffix(db, "");
	struct stat st;
	int failed = 0;

	if (geteuid() == 0 && (stat(db, &st) == 0 || stat(dirname(above), &st) == 0))
		failed = fchown(fd, st.st_uid, st.st_gid);
	free(above);
	return failed;
}

/*
 * Ids that were given after the backup are not given again. Without a WAL or a journal, for the
 * copy is needed whole or not at all.
 */
static int
leap_ids(struct sqlite_store *copy, const struct leap *leap, struct error *err)
{
	if (sqlite3_open_v2(copy->path, &copy->db, SQLITE_OPEN_READWRITE, "unix") != SQLITE_OK ||
	    sqlite3_exec(copy->db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL,
			 NULL, NULL) != SQLITE_OK)
		return transaction_fail(copy, err, ERROR_STORAGE_FAILED, "cannot open");
	if (open_migrate(copy, OPEN_NEWEST, err) < 0)
		return -1;
	if (leap_apply(copy->db, leap) != SQLITE_OK)
		return transaction_fail(copy, err, ERROR_STORAGE_FAILED, "cannot write");
	return 0;
}

/* Fills the file of the copy, which is open as fd too. */
static int
fill_copy(struct sqlite_store *copy, int fd, const char *db, const char *from, struct error *err)
{
	static const char no_wal[] = { 1, 1 };
	int source = open(from, O_RDONLY | O_CLOEXEC), failed;
	char *earlier = path_with_suffix(db, OPEN_RESTORING); /* of a restore that broke off */
	struct leap leap = { 0 };

	if (source < 0)
		failed = fail("open", from, err);
	else if (copy_bytes(source, fd) != 0 ||
		 pwrite(fd, no_wal, sizeof(no_wal), FORMAT_JOURNAL_MODE_AT) != sizeof(no_wal) ||
		 give_to_owner(db, fd) != 0)
		failed = fail("write", copy->path, err);
	else {
		leap_look_at(db, &leap);
		leap_look_at(earlier, &leap);
		failed = leap_ids(copy, &leap, err);
	}
	if (!failed && fsync(fd) != 0)
		failed = fail("write", copy->path, err);
	if (source >= 0)
		close(source);
	free(earlier);
	return failed;
}

/* What a restore that broke off left under the copy's name would be emptied before it is read. */
static bool
is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int
make_copy(const char *db, const char *from, char *to, struct error *err)
{
	struct sqlite_store copy = { .path = to };
	int fd = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int failed = fd >= 0 ? fill_copy(&copy, fd, db, from, err) : fail("write", to, err);

	sqlite3_close(copy.db);
	if (failed && fd >= 0)
		unlink(to);
	if (fd >= 0)
		close(fd);
	return failed;
}

/* --- the old database --- */

static bool
is_there(const char *path, const char *suffix)
{
	char *name = path_with_suffix(path, suffix);
	bool is = access(name, F_OK) == 0;

	free(name);
	return is;
}

/* "<db>.before-20270131T120000Z", or with "-2" behind it and so on if that is taken */
static char *
name_aside(const char *db)
{
	time_t now = (time_t)(clock_now().wall_ms / 1000);
	char stamp[40], suffix[60];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), BEFORE "%Y%m%dT%H%M%SZ", &tm);
	char *aside = path_with_suffix(db, stamp);
	for (int i = 2; i < NAMES_MAX && (is_there(aside, "") || is_there(aside, "-wal")); i++) {
		free(aside);
		snprintf(suffix, sizeof(suffix), "%s-%d", stamp, i);
		aside = path_with_suffix(db, suffix);
	}
	return aside;
}

/*
 * Where a restore that broke off has put the database whose WAL is still there: the newest that has
 * none. NULL: nowhere.
 */
static char *
find_aside(const char *db)
{
	char *above = path_with_suffix(db, ""), *name = path_with_suffix(db, ""), *found = NULL;
	char *start = path_with_suffix(basename(name), BEFORE);
	size_t len = strlen(start);
	DIR *dir = opendir(dirname(above));
	const struct dirent *file;

	while (dir != NULL && (file = readdir(dir)) != NULL) {
		if (strncmp(file->d_name, start, len) != 0 ||
		    file->d_name[len + strspn(file->d_name + len, "0123456789TZ-")] != '\0')
			continue;
		char *path = path_with_suffix(db, file->d_name + len - strlen(BEFORE));
		bool is_newer = found == NULL || strcmp(path, found) > 0;
		if (is_newer && !is_there(path, "-wal")) {
			free(found);
			found = path;
		} else {
			free(path);
		}
	}
	if (dir != NULL)
		closedir(dir);
	free(above);
	free(name);
	free(start);
	return found;
}

/* Renames what is there; a name that is taken is never written over. */
static int
move(const char *db, const char *suffix, const char *aside, bool *moved, struct error *err)
{
	char *from = path_with_suffix(db, suffix), *to = path_with_suffix(aside, suffix);
	int failed = 0;

	if (access(from, F_OK) == 0) {
		if (path_rename_new(from, to) == 0)
			*moved = true;
		else
			failed = fail("move aside", from, err);
	}
	free(from);
	free(to);
	return failed;
}

/* The WAL goes after its database: an old one without its WAL would look like a whole one. */
static int
exchange(const char *db, const char *under_way, const char *aside, bool *moved, struct error *err)
{
	char *index = path_with_suffix(db, "-shm");
	int failed = move(db, "", aside, moved, err) || move(db, "-wal", aside, moved, err);

	if (!failed) {
		unlink(index); /* of the WAL; made anew */
		failed = rename(under_way, db) != 0 ? fail("rename", under_way, err)
						    : path_sync_directory(db, err);
	}
	free(index);
	return failed ? -1 : 0;
}

/* While the copy is under_way no server starts; that ends if nothing was moved, then or before. */
static int
put_in_place(const char *db, const char *copy, char **ret_aside, struct error *err)
{
	char *under_way = path_with_suffix(db, OPEN_RESTORING);
	char *aside = !is_there(db, "") && is_there(db, "-wal") ? find_aside(db) : NULL;
	bool moved = false, broke_off = is_there(under_way, "");
	struct error unsynced;

	if (aside == NULL)
		aside = name_aside(db);
	int failed =
	    rename(copy, under_way) != 0 ? fail("rename", copy, err) : path_sync_directory(db, err);
	if (failed == 0)
		failed = exchange(db, under_way, aside, &moved, err);
	if (failed != 0 && !moved && !broke_off) {
		unlink(under_way);
		path_sync_directory(db, &unsynced);
	}
	if (failed == 0 && moved) {
		*ret_aside = aside;
		aside = NULL;
	}
	free(aside);
	free(under_way);
	return failed;
}

static int
restore_locked(const char *db, const char *from, char **ret_aside, struct error *err)
{
	char *copy = path_with_suffix(db, ".restore");
	int failed = is_same_file(from, copy)
			 ? error_set(err, ERROR_STORAGE_FOREIGN,
				     "%s is where a restore makes its copy; give the backup "
				     "another name first",
				     from)
			 : make_copy(db, from, copy, err);

	if (failed == 0)
		failed = put_in_place(db, copy, ret_aside, err);
	free(copy);
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
		failed = give_to_owner(lock.path, lock.lock_fd) == 0
			     ? restore_locked(lock.path, from, ret_aside, err)
			     : fail("give away the lock of", lock.path, err);
	if (lock.lock_fd >= 0)
		close(lock.lock_fd);
	free(lock.path);
	return failed;
}
