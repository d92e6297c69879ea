/*
 * complete.h - what may stand next on a command line that a person is typing.
 *
 * Here: commands, options, the words that options take, and session keys, which the server knows.
 * Not here: the shells, which ask for it (client/completions).
 */
#ifndef SEVQ_COMMAND_COMPLETE_H
#define SEVQ_COMMAND_COMPLETE_H

#include "client/command/command.h"

/*
 * Prints what may stand for the last of the words, which are those behind "sevq" up to the cursor:
 * in each line a word that begins as that one does, and behind a tab what it means. A line ":files"
 * means the names of files.
 */
void sevq_complete(const struct sevq_command *commands, size_t command_count, char *const *words,
		   size_t word_count);

#endif
