/*
 * memory.h - memory of the command, which ends when there is none left: it has nothing else to do.
 */
#ifndef SEVQ_COMMAND_MEMORY_H
#define SEVQ_COMMAND_MEMORY_H

/* Reports that memory ran out and ends the process. */
_Noreturn void sevq_exit_out_of_memory(void);

/* Returns what an allocation has returned; if that is NULL, exits as above. */
void *sevq_allocated(void *p);

#endif
