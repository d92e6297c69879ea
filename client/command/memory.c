/*
 * memory.c - the end of a command that gets no memory.
 */
#include "client/command/memory.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

void
sevq_exit_out_of_memory(void)
{
	fputs("sevq: out of memory\n", stderr);
	exit(1);
}

void *
sevq_allocated(void *p)
{
	if (p == NULL)
		sevq_exit_out_of_memory();
	return p;
}
