/* clock.c - the kernel's clocks. */
#include "queue/clock.h"

#include <time.h>

static int64_t
read_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct clock
kernel(void)
{
	return (struct clock){ read_ms(CLOCK_REALTIME), read_ms(CLOCK_BOOTTIME) };
}

struct clock (*clock_now)(void) = kernel;
