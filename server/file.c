/*
 * file.c - small files, read and written whole.
 */
#include "server/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include <unistd.h>

#define READ_BYTES 16384

static int
fail(const char *path, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
}

int
file_read_open(int fd, const char *name, size_t bytes_max, struct buf *ret, struct error *err)
{
	ssize_t n;

	do {
		buf_reserve(ret, READ_BYTES);
		n = read(fd, ret->data + ret->len, READ_BYTES);
		if (n < 0 && errno != EINTR)
			return fail(name, err);
		ret->len += n > 0 ? (size_t)n : 0;
		if (ret->len > bytes_max)
			return error_set(err, ERROR_CONFIG, "%s: over %zu bytes", name, bytes_max);
	} while (n != 0);
	return 0;
}

int
file_read(const char *path, size_t bytes_max, struct buf *ret, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), failed;

	if (fd < 0)
		return fail(path, err);
	failed = file_read_open(fd, path, bytes_max, ret, err);
	close(fd);
	return failed;
}

static int
write_all(int fd, struct str text)
{
	ssize_t n;

	for (size_t done = 0; done < text.len; done += (size_t)(n > 0 ? n : 0)) {
		n = write(fd, text.s + done, text.len - done);
		if (n < 0 && errno != EINTR)
			return -1;
	}
	return fsync(fd);
}

int
file_replace(const char *path, struct str text, struct error *err)
{
	struct buf name = { 0 };
	int fd, failed;

	buf_addf(&name, "%s.new%c", path, '\0');
	unlink(name.data);
	fd = open(name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	failed = fd < 0 || write_all(fd, text) != 0 || rename(name.data, path) != 0;
	if (failed)
		fail(path, err);
	if (failed && fd >= 0)
		unlink(name.data);
	if (fd >= 0)
		close(fd);
	buf_clear(&name);
	return failed ? -1 : 0;
}

char *
file_beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	size_t dir = slash != NULL ? (size_t)(slash - path) + 1 : 0;
	char *joined = mem_alloc(dir + strlen(name) + 1);

	memcpy(joined, path, dir);
	memcpy(joined + dir, name, strlen(name));
	return joined;
}
