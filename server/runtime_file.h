/*
 * runtime_file.h - sevqd.json beside the database: where this server listens and where its token
 * is, so that the sevq command finds it by itself. There while the server runs; after a crash it
 * names a process that is gone.
 */
#ifndef SERVER_RUNTIME_FILE_H
#define SERVER_RUNTIME_FILE_H

#include "schema/error.h"
#include "server/http/listener.h"

/*
 * db: the database; token_file: NULL without authentication. ERROR_CONFIG; then there is no such
 * file, not even an old one.
 */
int runtime_file_write(const char *db, const struct listeners *listeners, const char *token_file,
		       struct error *err);
void runtime_file_remove(const char *db);

#endif
