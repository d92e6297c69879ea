/* policy_watch.c - one inotify descriptor, a list of names in directories, and a timer. */
#include "server/policy_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <event2/event.h>
#include <unistd.h>

#include "server/config/paths.h"
#include "server/log.h"

/* Writing alone is left out: a database in the same directory is written all the time. */
#define CHANGES                                                                                    \
	(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF |   \
	 IN_MOVE_SELF)
#define LINKS_MAX 40 /* on the way to one file, as for the kernel */
#define READ_BYTES 16384
#define READS_MAX 64 /* at a time; the rest waits for the next turn */

/* A name in a directory, both in the arena of the list. */
struct watched {
	const char *dir, *name;
	int number; /* of the kernel's watch of the directory; -1: it cannot be watched */
};

struct watched_list {
	struct watched *items;
	size_t count, cap;
	struct arena arena;
};

struct policy_watch {
	int fd;
	struct event *readable, *timer;
	struct timeval still;
	struct watched_list watched;
	bool due;
};

static void
list_clear(struct watched_list *list)
{
	arena_clear(&list->arena);
	free(list->items);
	*list = (struct watched_list){ 0 };
}

/* --- what has changed --- */

static bool
concerns_us(const struct policy_watch *watch, const struct inotify_event *event)
{
	if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF))
		return true;
	for (size_t i = 0; i < watch->watched.count; i++)
		if (watch->watched.items[i].number == event->wd && event->len > 0 &&
		    strcmp(watch->watched.items[i].name, event->name) == 0)
			return true;
	return false;
}

/* Reads some of the changes that the kernel has noted. Returns whether any concerns us. */
static bool
read_changes(const struct policy_watch *watch)
{
	char bytes[READ_BYTES] __attribute__((aligned(_Alignof(struct inotify_event))));
	const struct inotify_event *event;
	bool any = false;
	ssize_t len;

	for (int i = 0; i < READS_MAX && (len = read(watch->fd, bytes, sizeof(bytes))) > 0; i++)
		for (const char *at = bytes; at < bytes + len; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)(const void *)at;
			any = concerns_us(watch, event) || any;
		}
	return any;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct policy_watch *watch = arg;

	(void)fd, (void)what;
	if (read_changes(watch))
		event_add(watch->timer, &watch->still); /* from the beginning, if it runs already */
}

static void
on_still(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	((struct policy_watch *)arg)->due = true;
}

struct policy_watch *
policy_watch_new(struct event_base *base, int still_ms)
{
	struct policy_watch *watch = mem_alloc(sizeof(*watch));

	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		log_line(LOG_WARN, log_msg("changes of the policy are not noticed before a SIGHUP"),
			 log_text("detail", strerror(errno)));
		free(watch);
		return NULL;
	}
	watch->still = (struct timeval){ still_ms / 1000, still_ms % 1000 * 1000 };
	watch->readable = event_new(base, watch->fd, EV_READ | EV_PERSIST, on_readable, watch);
	watch->timer = evtimer_new(base, on_still, watch);
	event_add(watch->readable, NULL);
	return watch;
}

void
policy_watch_free(struct policy_watch *watch)
{
	if (watch == NULL)
		return;
	event_free(watch->readable);
	event_free(watch->timer);
	close(watch->fd);
	list_clear(&watch->watched);
	free(watch);
}

bool
policy_watch_is_due(const struct policy_watch *watch)
{
	return watch != NULL && watch->due;
}

void
policy_watch_forget(struct policy_watch *watch)
{
	if (watch == NULL)
		return;
	read_changes(watch);
	event_del(watch->timer);
	watch->due = false;
}

/* --- what to watch --- */

static void
add_name(struct watched_list *list, const char *dir, const char *name)
{
	list->items = mem_grow(list->items, &list->cap, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = (struct watched){ dir, name, -1 };
}

/* The target of a symbolic link, in the arena; NULL: there is no link of that name. */
static const char *
read_link(struct arena *arena, const char *path)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target));

	return len >= 0 ? arena_dup(arena, (struct str){ target, (size_t)len }).s : NULL;
}

static const char *
join(struct arena *arena, const char *a, const char *b)
{
	struct buf whole = { 0 };

	buf_addf(&whole, "%s%s", a, b);
	const char *joined = arena_dup(arena, (struct str){ whole.data, whole.len }).s;
	buf_clear(&whole);
	return joined;
}

/*
 * Adds the last name of an absolute path; and the name of the first symbolic link on the way, whose
 * target then takes its place.
 */
static void
add_path(struct watched_list *list, const char *path, int links_left)
{
	struct arena *arena = &list->arena;

	for (size_t at = 0, end; path[at] == '/'; at = end) {
		end = at + 1 + strcspn(path + at + 1, "/");
		const char *dir = at > 0 ? arena_dup(arena, (struct str){ path, at }).s : "/",
			   *name = arena_dup(arena, (struct str){ path + at + 1, end - at - 1 }).s,
			   *target =
			       read_link(arena, arena_dup(arena, (struct str){ path, end }).s);

		if (path[end] == '\0' || target != NULL)
			add_name(list, dir, name);
		if (target == NULL)
			continue;
		if (links_left > 0)
			add_path(list,
				 config_path_resolve(arena, dir, join(arena, target, path + end)),
				 links_left - 1);
		return;
	}
}

static bool
same(const struct watched_list *a, const struct watched_list *b)
{
	bool is_same = a->count == b->count;

	for (size_t i = 0; is_same && i < a->count; i++)
		is_same = strcmp(a->items[i].dir, b->items[i].dir) == 0 &&
			  strcmp(a->items[i].name, b->items[i].name) == 0;
	return is_same;
}

/* The kernel has one watch a directory, however often it is asked for one. */
static void
watch_all(struct policy_watch *watch)
{
	for (size_t i = 0; i < watch->watched.count; i++) {
		struct watched *watched = &watch->watched.items[i];

		watched->number = inotify_add_watch(watch->fd, watched->dir, CHANGES | IN_ONLYDIR);
		if (watched->number < 0)
			log_line(LOG_WARN,
				 log_msg("changes of the policy are not noticed before a SIGHUP"),
				 log_text("file", watched->name), log_text("in", watched->dir),
				 log_text("detail", strerror(errno)));
	}
}

void
policy_watch_set(struct policy_watch *watch, const struct policy_source *source)
{
	struct watched_list fresh = { 0 };

	if (watch == NULL)
		return;
	for (size_t i = 0; i < source->count; i++)
		add_path(&fresh, source->files[i], LINKS_MAX);
	if (same(&fresh, &watch->watched)) {
		list_clear(&fresh);
		return;
	}
	for (size_t i = 0; i < watch->watched.count; i++)
		inotify_rm_watch(watch->fd, watch->watched.items[i].number);
	read_changes(watch); /* that they were removed */
	list_clear(&watch->watched);
	watch->watched = fresh; /* moved */
	watch_all(watch);
	event_add(watch->timer, &watch->still); /* a change before now was not noticed */
}
