/*
 * shim.c - each method asks `fails`, then calls the method of the real file, which lies behind
 * ours.
 */
#include "tests/fault/shim.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

/* The bytes that a write replaced. */
struct undo {
	struct undo *before;
	sqlite3_int64 at;
	int len;
	char bytes[];
};

struct shim_file {
	sqlite3_file base;
	sqlite3_file *real; /* lies behind this struct in memory */
	/* newest first; kept only for a fault that reverts unsynced writes */
	struct undo *unsynced;
};

static sqlite3_vfs *real_vfs;
static struct shim_fault armed;
static int calls[SHIM_KIND_COUNT], failures;

void
shim_arm(const struct shim_fault *fault)
{
	armed = *fault;
	failures = 0;
	memset(calls, 0, sizeof(calls));
}

void
shim_disarm(void)
{
	armed.k = 0;
}

int
shim_failed(void)
{
	return failures;
}

int
shim_calls(enum shim_kind kind)
{
	return calls[kind];
}

static bool
fails(enum shim_kind kind)
{
	int call = ++calls[kind];
	bool now = armed.k > 0 && kind == armed.kind &&
		   (call == armed.k || (armed.from_then_on && call > armed.k));

	failures += now;
	return now;
}

static sqlite3_file *
real(sqlite3_file *file)
{
	return ((struct shim_file *)file)->real;
}

/* Past the end of the file the old bytes are zeros. */
static void
remember(sqlite3_file *file, int len, sqlite3_int64 at)
{
	struct shim_file *ours = (struct shim_file *)file;
	struct undo *undo = malloc(sizeof(*undo) + (size_t)len);

	*undo = (struct undo){ .before = ours->unsynced, .at = at, .len = len };
	real(file)->pMethods->xRead(real(file), undo->bytes, len, at);
	ours->unsynced = undo;
}

static void
end_of_unsynced(sqlite3_file *file, bool forget)
{
	struct shim_file *ours = (struct shim_file *)file;

	for (struct undo *undo = ours->unsynced, *before; undo != NULL; undo = before) {
		before = undo->before;
		if (forget)
			real(file)->pMethods->xWrite(real(file), undo->bytes, undo->len, undo->at);
		free(undo);
	}
	ours->unsynced = NULL;
}

static int
file_close(sqlite3_file *file)
{
	end_of_unsynced(file, false);
	return real(file)->pMethods->xClose(real(file));
}

static int
file_read(sqlite3_file *file, void *into, int bytes, sqlite3_int64 at)
{
	return fails(SHIM_READ) ? armed.code
				: real(file)->pMethods->xRead(real(file), into, bytes, at);
}

static int
file_write(sqlite3_file *file, const void *from, int bytes, sqlite3_int64 at)
{
	if (armed.forgets)
		remember(file, bytes, at);
	if (!fails(SHIM_WRITE))
		return real(file)->pMethods->xWrite(real(file), from, bytes, at);
	int written = bytes - (armed.missing > 0 ? armed.missing : bytes / 2);
	if (written > 0)
		real(file)->pMethods->xWrite(real(file), from, written, at);
	return armed.code;
}

static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return fails(SHIM_TRUNCATE) ? armed.code
				    : real(file)->pMethods->xTruncate(real(file), size);
}

static int
file_sync(sqlite3_file *file, int flags)
{
	bool failed = fails(SHIM_SYNC);

	end_of_unsynced(file, failed && armed.forgets);
	return failed ? armed.code : real(file)->pMethods->xSync(real(file), flags);
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return real(file)->pMethods->xFileSize(real(file), size);
}

static int
file_lock(sqlite3_file *file, int level)
{
	return fails(SHIM_LOCK) ? armed.code : real(file)->pMethods->xLock(real(file), level);
}

static int
file_unlock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xUnlock(real(file), level);
}

static int
file_check_reserved(sqlite3_file *file, int *reserved)
{
	return fails(SHIM_LOCK) ? armed.code
				: real(file)->pMethods->xCheckReservedLock(real(file), reserved);
}

static int
file_control(sqlite3_file *file, int op, void *arg)
{
	return real(file)->pMethods->xFileControl(real(file), op, arg);
}

static int
file_sector_size(sqlite3_file *file)
{
	return real(file)->pMethods->xSectorSize(real(file));
}

static int
file_characteristics(sqlite3_file *file)
{
	return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int
file_shm_map(sqlite3_file *file, int region, int bytes, int extend, void volatile **at)
{
	return fails(SHIM_SHM)
		   ? armed.code
		   : real(file)->pMethods->xShmMap(real(file), region, bytes, extend, at);
}

static int
file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	if ((flags & SQLITE_SHM_LOCK) && fails(SHIM_SHM))
		return armed.code;
	return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}

static void
file_shm_barrier(sqlite3_file *file)
{
	real(file)->pMethods->xShmBarrier(real(file));
}

static int
file_shm_unmap(sqlite3_file *file, int and_delete)
{
	return real(file)->pMethods->xShmUnmap(real(file), and_delete);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2, /* no memory mapping */
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	struct shim_file *ours = (struct shim_file *)file;

	(void)vfs;
	ours->base.pMethods = NULL;
	ours->unsynced = NULL;
	ours->real = (sqlite3_file *)(ours + 1);
	if (fails(SHIM_OPEN))
		return armed.code;
	int rc = real_vfs->xOpen(real_vfs, name, ours->real, flags, out_flags);
	if (ours->real->pMethods != NULL)
		ours->base.pMethods = &methods;
	return rc;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	(void)vfs;
	return fails(SHIM_DELETE) ? armed.code : real_vfs->xDelete(real_vfs, name, sync_directory);
}

void
shim_register(void)
{
	static sqlite3_vfs shim;

	if (real_vfs != NULL)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	shim = *real_vfs; /* methods that take no file stay the real ones */
	shim.zName = "shim";
	shim.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
	shim.xOpen = vfs_open;
	shim.xDelete = vfs_delete;
	sqlite3_vfs_register(&shim, 1);
}
