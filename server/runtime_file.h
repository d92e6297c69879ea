/*
 * runtime_file.h - sevqd.json beside the database: where this server listens and where its token is, so that the sevq
 * command finds it by itself. There while the server runs; after a crash it names a process that is gone.
 */
#ifndef SEVQ_SERVER_RUNTIME_FILE_H
#define SEVQ_SERVER_RUNTIME_FILE_H

#include "server/server.h"

/* token_file: NULL without authentication. SEVQ_CONFIG; then there is no such file, not even an old one. */
int sevq_runtime_file_write(const struct sevq_server *server, const char *token_file, struct sevq_error *err);
void sevq_runtime_file_remove(const struct sevq_server *server);

#endif
