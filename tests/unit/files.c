/* files.c - fails the test where a file cannot be read or written. */
#include "tests/unit/files.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

int
make_directory(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/sevq-%s-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", name);
	return mkdtemp(path) == NULL ? -1 : 0;
}

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(name);
}

int
remove_directory(const char *path)
{
	return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct buf
read_file(const char *name)
{
	struct buf bytes = { 0 };
	char block[4096];
	FILE *file = fopen(name, "re");

	assert_non_null(file);
	for (size_t n; (n = fread(block, 1, sizeof(block), file)) > 0;)
		buf_add(&bytes, block, n);
	fclose(file);
	return bytes;
}

void
write_file(const char *name, const char *bytes, size_t len)
{
	FILE *file = fopen(name, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}
