#pragma once
#include "ck_signal.h"
