// What Swift needs of C and of the kernel, on plain integers.
#pragma once

#include "ck_aio.h"
#include "ck_memory.h"
#include "ck_perf.h"
#include "ck_signal.h"
#include "ck_socket.h"
#include "ck_system.h"
#include "ck_time.h"
#include "ck_uring.h"
