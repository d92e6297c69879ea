/*
 * value.h - a config as a tree whose every value knows where it was written.
 *
 * Here: making the tree from a file, merging two trees as OpenClaw merges what it includes, failing
 * at a value's place, writing the tree as JSON.
 * Not here: what $include and ${VAR} mean (include, variables), the policy that comes of it
 * (queue/policy).
 * Values live in the arena that they were made in; their texts are borrowed from it and from the
 * files.
 */
#ifndef SERVER_CONFIG_VALUE_H
#define SERVER_CONFIG_VALUE_H

#include "server/config/files.h"

struct config_value {
	enum json_type type;
	struct str name;                   /* in an object: the member's */
	struct str text;                   /* a string decoded, a number as written in JSON */
	struct config_value *first, *last; /* members or elements */
	struct config_value *next;         /* behind it among them */
	const struct config_file *file;    /* where it was written */
	uint32_t offset;
	bool merged; /* a merge's own mark */
};

/* The parsed file's value, made anew on every call. */
struct config_value *config_value_read(const struct config_file *file, struct arena *arena);

/* A member by its name; NULL where there is none, or no object. */
struct config_value *config_value_member(const struct config_value *object, const char *name);

/* Appends a value, which is in no list, to an array or object. */
void config_value_append(struct config_value *container, struct config_value *value);

/*
 * over merged over base: two objects by their members, two arrays one behind the other, else over
 * takes base's place. Uses up both; the caller names what comes of it and puts it in a list.
 */
struct config_value *config_value_merge(struct config_value *base, struct config_value *over);

/* Appends the value as JSON. ERROR_CONFIG, at the place, where it is nested too deeply. */
int config_value_write(const struct config_value *value, struct buf *out, struct error *err);

/* ERROR_CONFIG with the value's file, line and column. */
int config_value_fail(struct error *err, const struct config_value *value, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
