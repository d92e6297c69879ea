/*
 * open.c - opens a database that is ours, undamaged, of our version, and in use by nobody else.
 *
 * In order: the directory, the lock file, the file's own header and the WAL (before SQLite touches
 * the files, so that those that are refused keep every byte), the connection, migrations,
 * statements. A new
 * database is completed under another name and then renamed, so a crash never leaves half of one.
 */
#include "queue/sqlite/open.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <unistd.h>

#include "queue/sqlite/batch_table.h"
#include "queue/sqlite/disk.h"
#include "queue/sqlite/format.h"
#include "queue/sqlite/path.h"
#include "queue/sqlite/transaction.h"
#include "queue/sqlite/vfs.h"
#include "queue/sqlite/wal_index.h"
#include "queue/sqlite/wal_scan.h"
#include "schema/migrations.h"

#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(*migrations)))
#define OPEN_BUSY_TIMEOUT_MS 1000 /* for others who have the database open */
/* larger files are not checked page by page when they are opened, only as they are read */
#define FULL_CHECK_BYTES_MAX (8 << 20)

/* --- the file before SQLite --- */

/*
 * Takes the lock that is held until the store is closed. The lock file stays: if it were removed,
 * two servers could each lock a file of that name.
 */
int
open_lock(struct sqlite_store *store, struct error *err)
{
	char *name = path_with_suffix(store->path, ".lock");
	int failed = 0;

	store->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock_fd < 0)
		failed = error_set(err, ERROR_STORAGE_FAILED, "cannot open %s: %s", name,
				   strerror(errno));
	else if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0)
		failed = errno == EWOULDBLOCK
			     ? error_set(err, ERROR_STORAGE_LOCKED, "another server has %s open",
					 store->path)
			     : error_set(err, ERROR_STORAGE_FAILED, "cannot lock %s: %s", name,
					 strerror(errno));
	free(name);
	return failed;
}

/* While a restore puts a backup in its place there may be half of the old database. */
static int
check_restored(const struct sqlite_store *store, struct error *err)
{
	char *path = path_with_suffix(store->path, OPEN_RESTORING);
	int failed = access(path, F_OK) != 0
			 ? 0
			 : error_set(err, ERROR_STORAGE_CORRUPT,
				     "a restore of %s was interrupted; run sevqd restore again",
				     store->path);

	free(path);
	return failed;
}

/* On a network file system locks and syncs cannot be relied on. */
static int
refuse_network_fs(struct sqlite_store *store, struct error *err)
{
	static const unsigned long network[] = { 0x6969 /* NFS */,
						 0x517B /* SMB */,
						 0xFF534D42 /* CIFS */,
						 0xFE534D42 /* SMB2 */,
						 0x5346414F /* AFS */,
						 0x00C36400 /* Ceph */,
						 0x0BD00BD0 /* Lustre */ };
	struct statfs fs;

	if (store->allow_network_fs || fstatfs(store->lock_fd, &fs) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(network) / sizeof(*network); i++)
		if (((unsigned long)fs.f_type & 0xFFFFFFFF) == network[i])
			return error_set(
			    err, ERROR_STORAGE_FAILED,
			    "%s is on a network file system, where a commit is no promise",
			    store->path);
	return 0;
}

static bool
has_wal(struct sqlite_store *store)
{
	char *name = path_with_suffix(store->path, "-wal");
	struct stat st;
	bool has = stat(name, &st) == 0 && st.st_size > 0;

	free(name);
	return has;
}

/*
 * A file shorter than its first page says is damaged, unless there is a WAL: a checkpoint that was
 * killed leaves such a file, and the WAL has the rest.
 */
static int
check_header(struct sqlite_store *store, const unsigned char *header, off_t size, struct error *err)
{
	uint32_t page_bytes = (uint32_t)header[16] << 8 | header[17];
	uint32_t version = format_be32(header + 60), pages = format_be32(header + 28);

	if (!format_is_ours(header))
		return error_set(err, ERROR_STORAGE_FOREIGN, "%s is not a sevq database",
				 store->path);
	if (version > SCHEMA_VERSION)
		return error_set(err, ERROR_STORAGE_NEWER,
				 "%s has version %u; this program knows up to %d", store->path,
				 version, SCHEMA_VERSION);
	if ((uint64_t)size < (uint64_t)pages * (page_bytes == 1 ? 65536 : page_bytes) &&
	    !has_wal(store))
		return error_set(err, ERROR_STORAGE_CORRUPT,
				 "%s is cut short: %lld bytes of %u pages", store->path,
				 (long long)size, pages);
	return 0;
}

/* There is no database. It must not have a WAL, whose pages a new database would take for its own.
 */
static int
check_missing(struct sqlite_store *store, struct error *err)
{
	if (errno != ENOENT)
		return error_set(err, ERROR_STORAGE_FAILED, "cannot open %s: %s", store->path,
				 strerror(errno));
	if (has_wal(store))
		return error_set(err, ERROR_STORAGE_CORRUPT,
				 "%s-wal is there, but its database is not", store->path);
	return 0;
}

/*
 * Checks an existing file without SQLite, so that a file that is refused keeps every byte. Sets
 * *exists: there is a file to open.
 */
static int
inspect_file(struct sqlite_store *store, bool *exists, struct error *err)
{
	unsigned char header[FORMAT_HEADER_BYTES];
	struct stat st;
	/* O_NONBLOCK: or a FIFO would wait for a writer */
	int fd = open(store->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), failed = 0;

	*exists = fd >= 0;
	if (fd < 0)
		return check_missing(store, err);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		failed =
		    error_set(err, ERROR_STORAGE_FOREIGN, "%s is not a regular file", store->path);
	else if (read(fd, header, sizeof(header)) != (ssize_t)sizeof(header))
		failed =
		    error_set(err, ERROR_STORAGE_FOREIGN, "%s is not a sevq database", store->path);
	else
		failed = check_header(store, header, st.st_size, err);
	close(fd);
	return failed;
}

/* --- the database --- */

static int
execute(struct sqlite_store *store, const char *statements, struct error *err)
{
	if (sqlite3_exec(store->db, statements, NULL, NULL, NULL) != SQLITE_OK)
		return transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot set up");
	return 0;
}

static int
read_version(struct sqlite_store *store, int *ret, struct error *err)
{
	sqlite3_stmt *get = NULL;
	int failed = 0;

	if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &get, NULL) == SQLITE_OK &&
	    sqlite3_step(get) == SQLITE_ROW)
		*ret = sqlite3_column_int(get, 0);
	else
		failed = transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot read");
	sqlite3_finalize(get);
	return failed;
}

static int
refuse_newer(const struct sqlite_store *store, struct error *err)
{
	return error_set(err, ERROR_STORAGE_NEWER, "%s was written by a newer version",
			 store->path);
}

int
open_version(struct sqlite_store *store, int *ret, struct error *err)
{
	if (read_version(store, ret, err) < 0)
		return -1;
	return *ret < 0 || *ret > SCHEMA_VERSION ? refuse_newer(store, err) : 0;
}

int
open_newest_version(void)
{
	return SCHEMA_VERSION;
}

/* Runs the missing migrations, each in one transaction that also sets the version. */
int
open_migrate(struct sqlite_store *store, int wanted, struct error *err)
{
	struct buf script = { 0 };
	int version = 0, failed = open_version(store, &version, err);

	for (; version < wanted && version < SCHEMA_VERSION && failed == 0; version++) {
		script.len = 0;
		buf_addf(&script, "BEGIN IMMEDIATE;%s;PRAGMA user_version = %d;COMMIT;",
			 migrations[version], version + 1);
		buf_add(&script, "", 1);
		failed = execute(store, script.data, err);
	}
	buf_clear(&script);
	return failed;
}

/*
 * The process has one thread, so SQLite needs neither its mutexes nor its memory statistics. Has no
 * effect once SQLite is initialised.
 */
static void
configure(void)
{
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int
open_handle(struct sqlite_store *store, const char *path, struct error *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(path, &store->db, flags, vfs_register()) != SQLITE_OK)
		return transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot open");
	return 0;
}

#define PRAGMA(name, value) "PRAGMA " name " = " SQL_TEXT(value) ";"

static const char file_pragmas[] = PRAGMA("page_size", PAGE_BYTES) PRAGMA("synchronous", FULL)
    PRAGMA("application_id", APPLICATION_ID);

/* Creates the database under another name, then renames it. */
int
open_create(struct sqlite_store *store, struct error *err)
{
	char *name = path_with_suffix(store->path, ".new");
	mode_t before = umask(077);

	unlink(name);
	int failed = open_handle(store, name, err);
	if (failed == 0)
		failed = execute(store, file_pragmas, err);
	if (failed == 0)
		failed = open_migrate(store, OPEN_NEWEST, err);
	sqlite3_close(store->db);
	store->db = NULL;
	if (failed == 0 && rename(name, store->path) < 0)
		failed = error_set(err, ERROR_STORAGE_FAILED, "cannot rename %s: %s", name,
				   strerror(errno));
	umask(before);
	free(name);
	return failed < 0 ? failed : path_sync_directory(store->path, err);
}

static int
check_integrity(struct sqlite_store *store, struct error *err)
{
	struct stat st;
	sqlite3_stmt *check = NULL;
	int failed = 0;

	if (stat(store->path, &st) < 0 || st.st_size > FULL_CHECK_BYTES_MAX)
		return 0;
	if (sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &check, NULL) !=
		SQLITE_OK ||
	    sqlite3_step(check) != SQLITE_ROW)
		failed = transaction_fail(store, err, ERROR_STORAGE_CORRUPT, "cannot check");
	else if (strcmp((const char *)sqlite3_column_text(check, 0), "ok") != 0)
		failed = error_set(err, ERROR_STORAGE_CORRUPT, "%s is damaged: %s", store->path,
				   sqlite3_column_text(check, 0));
	sqlite3_finalize(check);
	return failed;
}

/*
 * WAL mode, with a sync for each commit. The driver runs the checkpoints itself (chores.c). The
 * page cache holds a large commit. A larger one would not help: new pages would only pass through
 * it, and what is read twice is in the queue's ring of recent events or in the kernel's cache.
 */
static const char settings[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA journal_size_limit = 16777216; PRAGMA mmap_size = 0; PRAGMA cache_size = -8192;";

/*
 * The first read takes the write lock and rebuilds the WAL-index (wal_index.c), which can fail in
 * ways of its own.
 */
static int
read_version_first(struct sqlite_store *store, int *version, struct error *err)
{
	if (read_version(store, version, err) == 0)
		return 0;
	switch (sqlite3_extended_errcode(store->db)) {
	case SQLITE_BUSY_RECOVERY:
		return error_set(err, ERROR_STORAGE_LOCKED,
				 "somebody else is writing to %s, perhaps in a shell", store->path);
	case SQLITE_IOERR_WRITE:
	case SQLITE_IOERR_FSYNC:
		return error_set(err, ERROR_STORAGE_FAILED, "cannot write the log of %s again",
				 store->path);
	default:
		return -1;
	}
}

/* Reads first: a database that was just created has no WAL-index, and no locks, before a read. */
static int
keep_checkpoint_lock(struct sqlite_store *store, struct error *err)
{
	int version;

	if (read_version(store, &version, err) < 0)
		return -1;
	if (wal_index_keep_checkpoint_lock(store->db) == SQLITE_OK)
		return 0;
	return error_set(err, ERROR_STORAGE_LOCKED, "somebody else is checkpointing %s",
			 store->path);
}

/*
 * Opens the one connection. The newer version of a database may stand in the WAL only, where no
 * check before this one sees it; the connection is then closed without a checkpoint, so that the
 * file keeps every byte.
 */
static int
open_connection(struct sqlite_store *store, struct error *err)
{
	int version = 0;

	if (open_handle(store, store->path, err) < 0)
		return -1;
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* a reader may be running the same recovery */
	sqlite3_busy_timeout(store->db, OPEN_BUSY_TIMEOUT_MS);
	if (read_version_first(store, &version, err) < 0)
		return -1;
	sqlite3_busy_timeout(store->db, 0);
	if (version < 0 || version > SCHEMA_VERSION)
		return refuse_newer(store, err);
	if (check_integrity(store, err) < 0 || execute(store, settings, err) < 0 ||
	    open_migrate(store, OPEN_NEWEST, err) < 0)
		return -1;
	if (keep_checkpoint_lock(store, err) < 0)
		return -1;
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return 0;
}

static int
on_wal_written(void *arg, sqlite3 *db, const char *name, int frames)
{
	(void)db, (void)name;
	((struct sqlite_store *)arg)->wal_frames = frames;
	return SQLITE_OK;
}

static int
prepare(struct sqlite_store *store, struct error *err)
{
	if (batch_table_create(store) != SQLITE_OK)
		return transaction_fail(store, err, ERROR_STORAGE_FAILED, "cannot use");
	if (statements_prepare(store->db, store->statement) != SQLITE_OK)
		return transaction_fail(store, err, ERROR_STORAGE_CORRUPT, "cannot use");
	sqlite3_wal_hook(store->db, on_wal_written, store);
	return 0;
}

int
open_database(struct sqlite_store *store, struct error *err)
{
	bool exists;

	configure();
	if (path_make_directories(store->path, err) < 0 || open_lock(store, err) < 0 ||
	    check_restored(store, err) < 0 || refuse_network_fs(store, err) < 0 ||
	    inspect_file(store, &exists, err) < 0)
		return -1;
	if (exists && wal_check(store->path, err) < 0)
		return -1;
	disk_prepare_open(store);
	if (!exists && open_create(store, err) < 0)
		return -1;
	if (open_connection(store, err) < 0 || prepare(store, err) < 0)
		return -1;
	store->db_fd = open(store->path, O_RDONLY | O_CLOEXEC);
	disk_measure_again(store);
	return 0;
}
