/*
 * Reads decimal numbers, with strtoll and the checks that it leaves to its caller.
 */
#include "client/command/number.h"

#include <errno.h>
#include <stdlib.h>

bool
sevq_number_read(const char *text, int64_t *ret)
{
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || number < 1)
		return false;
	*ret = number;
	return true;
}
