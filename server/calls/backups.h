/*
 * backups.h - backups that are made on request.
 *
 * Here: the directory they go to, and when the newest was made. Not here: copying (queue/store.h).
 */
#ifndef SERVER_CALLS_BACKUPS_H
#define SERVER_CALLS_BACKUPS_H

struct calls;
struct backups;

/* directory: borrowed; NULL: no backups are made. Finds the newest that is there. */
struct backups *backups_new(struct calls *calls, const char *directory);
void backups_free(struct backups *backups);

/* After each turn: logs and counts a backup that has ended. */
void backups_look(struct backups *backups);

#endif
