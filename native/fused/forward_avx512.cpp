#if defined(__x86_64__)
#include "training.h"
#include "lanes_avx512.h"

#define MDT_NAME(name) name##_avx512
#define TILE_ROWS 14
#define TILE_PANELS 2
#include "forward.h"
#include "backward.h"
#include "adam.h"
#endif
