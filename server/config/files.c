/*
 * files.c - the files of one policy: opened with O_NONBLOCK, so that a pipe in the place of a file
 * holds nothing up, and judged by the descriptor, so that what is judged is what is read.
 */
#include "server/config/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <unistd.h>

#include "server/file.h"

/* The files that OpenClaw reads. */
static const struct {
	bool regular, one_name;
	size_t bytes_max;
} kinds[] = {
	[CONFIG_MAIN] = { false, false, CONFIG_FILES_BYTES_MAX },
	[CONFIG_INCLUDE] = { true, true, 2 << 20 },
	[CONFIG_DOTENV] = { true, false, 1 << 20 },
};

static struct config_file *
find(const struct config_files *files, const char *path)
{
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->items[i]->path, path) == 0)
			return files->items[i];
	return NULL;
}

static int
check_kind(int fd, const char *path, enum config_file_kind kind, struct error *err)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
	if (S_ISDIR(status.st_mode))
		return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(EISDIR));
	if (kinds[kind].regular && !S_ISREG(status.st_mode))
		return error_set(err, ERROR_CONFIG, "%s: not a regular file", path);
	if (kinds[kind].one_name && status.st_nlink > 1)
		return error_set(err, ERROR_CONFIG, "%s: a hard link, which OpenClaw refuses",
				 path);
	return 0;
}

static int
read_into(struct config_files *files, const char *path, enum config_file_kind kind,
	  struct buf *text, struct error *err)
{
	size_t left = CONFIG_FILES_BYTES_MAX - files->bytes;
	bool by_kind = kinds[kind].bytes_max <= left;
	int fd, failed;

	if (files->count == CONFIG_FILES_MAX)
		return error_set(err, ERROR_CONFIG, "%s: a policy has at most %d files", path,
				 CONFIG_FILES_MAX);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
	failed = check_kind(fd, path, kind, err);
	if (!failed)
		failed =
		    file_read_open(fd, path, by_kind ? kinds[kind].bytes_max : left, text, err);
	close(fd);
	if (failed && !by_kind && text->len > left)
		return error_set(err, ERROR_CONFIG, "%s: the policy's files have over %d bytes",
				 path, CONFIG_FILES_BYTES_MAX);
	return failed;
}

int
config_files_read(struct config_files *files, const char *path, enum config_file_kind kind,
		  struct config_file **ret, struct error *err)
{
	struct config_file *file = find(files, path);
	struct buf text = { 0 };

	if (file == NULL) {
		if (read_into(files, path, kind, &text, err) != 0) {
			buf_clear(&text);
			return -1;
		}
		file = mem_alloc(sizeof(*file));
		file->path = arena_dup(&files->arena, str_of(path)).s;
		file->text = text;
		files->bytes += text.len;
		files->items = mem_grow(files->items, &files->cap, files->count + 1,
					sizeof(struct config_file *));
		files->items[files->count++] = file;
	}
	*ret = file;
	return 0;
}

int
config_file_parse(struct config_file *file, struct error *err)
{
	struct error why;

	if (file->parsed)
		return 0;
	if (json_relax_places(file->text.data, file->text.len, &file->json, &file->places, &why) !=
		0 ||
	    json_scan(&file->doc, file->json.data, file->json.len, &why) != 0) {
		error_set(err, ERROR_CONFIG, "policy %s: %s", file->path, why.detail);
		err->line = why.line;
		err->column = why.column;
		return -1;
	}
	file->parsed = true;
	return 0;
}

void
config_files_hash(const struct config_files *files, char ret[TEXT_SHA256_BYTES])
{
	struct buf all = { 0 };

	for (size_t i = 0; i < files->count; i++)
		buf_add(&all, files->items[i]->text.data, files->items[i]->text.len);
	text_sha256((struct str){ all.data, all.len }, ret);
	buf_clear(&all);
}

void
config_files_clear(struct config_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		buf_clear(&files->items[i]->text);
		buf_clear(&files->items[i]->json);
		json_clear(&files->items[i]->doc);
		json_places_clear(&files->items[i]->places);
		free(files->items[i]);
	}
	free(files->items);
	arena_clear(&files->arena);
	*files = (struct config_files){ 0 };
}
