// Every operation that plait has. Each stands in a file of its own, io/src/ops/NAME.cpp.
#pragma once

#include <plait/io/op.hpp>

namespace plait::io::lowerings {

extern op_lowering const recv;
extern op_lowering const recv_in_pieces;
extern op_lowering const send;
extern op_lowering const accept;
extern op_lowering const connect;
extern op_lowering const open_at;
extern op_lowering const read_at;
extern op_lowering const write_at;
extern op_lowering const append;
extern op_lowering const truncate;
extern op_lowering const sync;
extern op_lowering const sync_data;
extern op_lowering const read_status;
extern op_lowering const read_directory;
extern op_lowering const make_directory;
extern op_lowering const rename;
extern op_lowering const remove_file;
extern op_lowering const remove_directory;
extern op_lowering const close;
extern op_lowering const read_stream;
extern op_lowering const write_stream;
extern op_lowering const send_msg;
extern op_lowering const recv_msg;
extern op_lowering const connect_local;
extern op_lowering const send_msg_local;
extern op_lowering const send_msg_local_to;

}  // namespace plait::io::lowerings
