/*
 * replay.c - feeds every file of the directories named to a fuzz target, without libFuzzer.
 */
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

static void
replay_file(const char *directory, const char *name)
{
	char path[4096];
	struct stat st;
	uint8_t *data;
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (file == NULL || fstat(fileno(file), &st) < 0)
		err(1, "%s", path);
	size = (size_t)st.st_size;
	data = malloc(size); /* of the exact size, so that a sanitizer sees a read past its end */
	if (size > 0 && fread(data, 1, size, file) != size)
		err(1, "%s", path);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static unsigned
replay_directory(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	unsigned count = 0;

	if (dir == NULL)
		err(1, "%s", directory);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		replay_file(directory, entry->d_name);
		count++;
	}
	closedir(dir);
	return count;
}

int
main(int argc, char **argv)
{
	unsigned count = 0;
	int i;

	for (i = 1; i < argc; i++)
		count += replay_directory(argv[i]);
	printf("%u inputs\n", count);
	return count > 0 ? 0 : 1;
}
