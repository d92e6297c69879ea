/*
 * files.h - the files that one reading of a policy has opened.
 *
 * Here: reading each file once, however often it is named; limits on their number and size; the
 * text, the tokens and the place of every token; the hash over all of them.
 * Not here: which files to read (include, environment), what they mean (value).
 */
#ifndef SERVER_CONFIG_FILES_H
#define SERVER_CONFIG_FILES_H

#include "schema/error.h"
#include "schema/json.h"
#include "schema/mem.h"

#define CONFIG_FILES_MAX 256
#define CONFIG_FILES_BYTES_MAX (8 << 20) /* of all files together */

struct config_file {
	const char *path;          /* absolute and normalised */
	struct buf text;           /* as read */
	struct buf json;           /* the same as strict JSON, once it is parsed */
	struct json doc;           /* tokens of json */
	struct json_places places; /* of the tokens in text */
	bool parsed;
};

/* All zero is empty. */
struct config_files {
	struct config_file **items; /* in the order they were read */
	size_t count, cap;
	size_t bytes;
	struct arena arena; /* paths, and whatever the caller makes of the files */
};

enum config_file_kind {
	CONFIG_MAIN,    /* any file that can be read */
	CONFIG_INCLUDE, /* a regular file of one name, at most 2 MiB */
	CONFIG_DOTENV,  /* a regular file, at most 1 MiB */
};

/*
 * Reads the file at an absolute path, or finds it among those that were read. ERROR_CONFIG with a
 * detail that starts with the path; nothing is remembered then.
 */
int config_files_read(struct config_files *files, const char *path, enum config_file_kind kind,
		      struct config_file **ret, struct error *err);

/* Takes the text apart as JSON5, once. ERROR_CONFIG with the path, line and column. */
int config_file_parse(struct config_file *file, struct error *err);

/* SHA-256 over the bytes of all files, one behind the other in the order they were read. */
void config_files_hash(const struct config_files *files, char ret[TEXT_SHA256_BYTES]);

void config_files_clear(struct config_files *files);

#endif
