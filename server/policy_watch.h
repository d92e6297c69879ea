/*
 * policy_watch.h - notices that the files of the policy have changed.
 *
 * Here: watching (inotify) each file by its name in its directory, because a config is replaced by
 * a rename as often as it is written; every symbolic link on the way to it; and waiting until a
 * change has been still for a moment, because an editor makes several. Not here: reading the files
 * (policy_in_force).
 */
#ifndef SERVER_POLICY_WATCH_H
#define SERVER_POLICY_WATCH_H

#include "server/policy_file.h"

struct policy_watch;
struct event_base;

/*
 * still_ms: for how long a change must be still. NULL: the system has no watch left, with a warning
 * in the log; SIGHUP still reloads.
 */
struct policy_watch *policy_watch_new(struct event_base *base, int still_ms);
void policy_watch_free(struct policy_watch *watch);

/* The functions below do nothing for NULL. */

/* Whether a change has been still for long enough, and the files are to be read again. */
bool policy_watch_is_due(const struct policy_watch *watch);
/* Before the files are read: what has changed until now needs no other reading. */
void policy_watch_forget(struct policy_watch *watch);
/* After they were read: watches these. Files that were not watched before are read once more. */
void policy_watch_set(struct policy_watch *watch, const struct policy_source *source);

#endif
