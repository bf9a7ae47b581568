// The instruction-set level that a kernel source is being compiled for names its namespace.
// Kernel sources are compiled once per level; everything they define lives in
// molkern::<level>, so that the linker can never merge code of two levels.
#pragma once

#ifndef MOLKERN_ISA
#define MOLKERN_ISA baseline
#endif
