/*
 * backup.c - SQLite's backup, from the writing connection to a file that nobody else has.
 *
 * The copy grows under another name. It is needed whole or not at all, so it has no journal and is
 * synced once, before it gets its name; the kernel is asked to write meanwhile, so that there is
 * little left to be waited for.
 */
#include "queue/sqlite/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <unistd.h>

#include "queue/sqlite/disk.h"
#include "queue/sqlite/path.h"

#define STEP_PAGES 64

struct copy {
	sqlite3 *to;
	sqlite3_backup *work;
	int fd; /* of the same file, to sync it by */
	char *path, *partial;
};

static void
copy_free(struct copy *copy)
{
	sqlite3_backup_finish(copy->work);
	sqlite3_close(copy->to);
	if (copy->fd >= 0)
		close(copy->fd);
	free(copy->path);
	free(copy->partial);
	free(copy);
}

static int
open_copy(struct sqlite_store *store, struct copy *copy, struct error *err)
{
	static const char settings[] = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
				       "PRAGMA cache_size = -1024";

	unlink(copy->partial); /* of a copy that was broken off */
	copy->fd = open(copy->partial, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (copy->fd < 0)
		return error_set(err, ERROR_STORAGE_FAILED, "cannot make %s: %s", copy->partial,
				 strerror(errno));
	if (sqlite3_open_v2(copy->partial, &copy->to, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK &&
	    sqlite3_exec(copy->to, settings, NULL, NULL, NULL) == SQLITE_OK)
		copy->work = sqlite3_backup_init(copy->to, "main", store->db, "main");
	if (copy->work != NULL)
		return 0;
	error_set(err, ERROR_STORAGE_FAILED, "cannot copy to %s: %s", copy->partial,
		  sqlite3_errmsg(copy->to));
	unlink(copy->partial);
	return -1;
}

/* A copy on the disk of the database must not take what is kept free there for events. */
static int
check_room(struct sqlite_store *store, struct copy *copy, uint64_t bytes, struct error *err)
{
	struct stat of_copy, of_lock;
	struct statvfs fs;
	uint64_t kept = 0;

	if (fstat(copy->fd, &of_copy) != 0 || fstat(store->lock_fd, &of_lock) != 0 ||
	    fstatvfs(copy->fd, &fs) != 0 || (uint64_t)of_copy.st_size >= bytes)
		return 0;
	bytes -= (uint64_t)of_copy.st_size;
	if (of_copy.st_dev == of_lock.st_dev)
		kept = disk_kept_bytes(store);
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= bytes + kept)
		return 0;
	return error_set(err, ERROR_STORAGE_FULL,
			 "the disk of --backup-dir has too little room: the backup needs %" PRIu64
			 " bytes more, and %" PRIu64 " must stay free for events",
			 bytes, kept);
}

int
backup_begin(struct sqlite_store *store, const char *path, struct error *err)
{
	struct copy *copy;

	if (store->copy != NULL)
		return error_set(err, ERROR_CONFLICT, "another backup is being made");
	if (access(path, F_OK) == 0)
		return error_set(err, ERROR_CONFLICT, "%s is there already", path);
	copy = mem_alloc(sizeof(*copy));
	copy->fd = -1;
	copy->path = path_with_suffix(path, "");
	copy->partial = path_with_suffix(path, ".partial");
	int failed = open_copy(store, copy, err);
	if (failed == 0 && (failed = check_room(store, copy, disk_database_bytes(store), err)) != 0)
		unlink(copy->partial);
	if (failed != 0) {
		copy_free(copy);
		return -1;
	}
	store->copy = copy;
	store->base.backup = (struct store_backup){ .state = BACKUP_RUNNING };
	return 0;
}

static void
end(struct sqlite_store *store, enum store_backup_state state)
{
	if (state == BACKUP_FAILED)
		unlink(store->copy->partial);
	copy_free(store->copy);
	store->copy = NULL;
	store->base.backup.state = state;
}

/* All pages are there. */
static int
complete(struct copy *copy, struct error *err)
{
	int rc = sqlite3_backup_finish(copy->work);

	copy->work = NULL;
	if (rc != SQLITE_OK)
		return error_set(err, ERROR_STORAGE_FAILED, "cannot copy to %s: %s", copy->partial,
				 sqlite3_errstr(rc));
	if (fsync(copy->fd) != 0 || path_rename_new(copy->partial, copy->path) != 0)
		return error_set(err, ERROR_STORAGE_FAILED, "cannot complete %s: %s", copy->path,
				 strerror(errno));
	return path_sync_directory(copy->path, err);
}

void
backup_step(struct sqlite_store *store)
{
	struct copy *copy = store->copy;
	struct store_backup *told = &store->base.backup;
	int rc = sqlite3_backup_step(copy->work, STEP_PAGES);

	told->bytes = (uint64_t)sqlite3_backup_pagecount(copy->work) * PAGE_BYTES;
	told->copied = told->bytes - (uint64_t)sqlite3_backup_remaining(copy->work) * PAGE_BYTES;
	bool fits = rc != SQLITE_OK || check_room(store, copy, told->bytes, &told->error) == 0;
	if (rc == SQLITE_OK && fits) {
		sync_file_range(copy->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		return;
	}
	if (rc != SQLITE_DONE && fits)
		error_set(&told->error, ERROR_STORAGE_FAILED, "cannot copy to %s: %s",
			  copy->partial, sqlite3_errstr(rc));
	end(store,
	    rc == SQLITE_DONE && complete(copy, &told->error) == 0 ? BACKUP_DONE : BACKUP_FAILED);
}

void
backup_stop(struct sqlite_store *store)
{
	if (store->copy != NULL)
		end(store, BACKUP_FAILED);
}
