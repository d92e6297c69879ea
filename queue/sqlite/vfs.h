/*
 * vfs.h - the VFS that the database is opened with.
 */
#ifndef QUEUE_SQLITE_VFS_H
#define QUEUE_SQLITE_VFS_H

#include <stdbool.h>

#include <sqlite3.h>

const char *sqlite_vfs(void);          /* the name of the VFS that the database is opened with */
sqlite3_file *sqlite_log(sqlite3 *db); /* the log of a database in WAL mode */
/*
 * Whether commits leave the sync of the log to whoever calls sqlite_sync, and only begin to write
 * it to the disk.
 */
void sqlite_defer_sync(sqlite3_file *log, bool put_off);
/* if anything was written since the last; SQLITE_OK or why not */
int sqlite_sync(sqlite3_file *log);
/* under its name still, where the next start looks for it */
bool sqlite_log_is_there(sqlite3_file *log);
/* from others, from here on; SQLITE_BUSY: somebody is at it */
int sqlite_keep_checkpoints(sqlite3 *db);
/* Whoever reads or checkpoints next, here or in another process, goes by what is in the log. */
void sqlite_forget_index(sqlite3 *db);

#endif
