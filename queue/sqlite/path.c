/*
 * path.c - the names of the files beside the database, and the directories above it.
 */
#include "queue/sqlite/path.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <unistd.h>

#include "schema/mem.h"

char *
path_with_suffix(const char *path, const char *suffix)
{
	size_t bytes = strlen(path) + strlen(suffix) + 1;
	char *name = mem_alloc(bytes);

	snprintf(name, bytes, "%s%s", path, suffix);
	return name;
}

int
path_sync_directory(const char *path, struct error *err)
{
	char *copy = path_with_suffix(path, "");
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = fd < 0 || fsync(fd) < 0 ? error_set(err, ERROR_STORAGE_FAILED,
							 "cannot sync the directory of %s", path)
					     : 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return failed;
}

int
path_make_directories(const char *path, struct error *err)
{
	char *copy = mem_alloc(strlen(path) + 1);
	int failed = 0;

	strcpy(copy, path);
	for (char *slash = strchr(copy + 1, '/'); slash != NULL && failed == 0;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0700) == 0)
			failed = path_sync_directory(copy, err);
		else if (errno != EEXIST)
			failed =
			    error_set(err, ERROR_STORAGE_FAILED, "cannot make the directory %s: %s",
				      copy, strerror(errno));
		*slash = '/';
	}
	free(copy);
	return failed;
}

/* Not every file system knows RENAME_NOREPLACE. */
int
path_rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (access(to, F_OK) == 0)
		errno = EEXIST;
	return errno == ENOENT ? rename(from, to) : -1;
}
