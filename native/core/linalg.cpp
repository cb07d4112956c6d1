// Products of vectors and matrices.
#include "mdt.h"

using namespace mdt;

MDT_API tensor mdt_matmul(tensor a, tensor b) {
  MDT_TENSOR(at::matmul(*a, *b));
}

MDT_API tensor mdt_mm(tensor a, tensor b) {
  MDT_TENSOR(at::mm(*a, *b));
}

MDT_API tensor mdt_bmm(tensor a, tensor b) {
  MDT_TENSOR(at::bmm(*a, *b));
}

MDT_API tensor mdt_mv(tensor a, tensor b) {
  MDT_TENSOR(at::mv(*a, *b));
}

MDT_API tensor mdt_dot(tensor a, tensor b) {
  MDT_TENSOR(at::dot(*a, *b));
}

MDT_API tensor mdt_outer(tensor a, tensor b) {
  MDT_TENSOR(at::outer(*a, *b));
}

MDT_API tensor mdt_addmm(tensor a, tensor b, tensor c, double beta, double alpha) {
  MDT_TENSOR(at::addmm(*a, *b, *c, beta, alpha));
}

MDT_API int32_t mdt_addmm_(tensor a, tensor b, tensor c, double beta, double alpha) {
  MDT_DO(a->addmm_(*b, *c, beta, alpha));
}

MDT_API tensor mdt_addmv(tensor a, tensor b, tensor c, double beta, double alpha) {
  MDT_TENSOR(at::addmv(*a, *b, *c, beta, alpha));
}

MDT_API tensor mdt_baddbmm(tensor a, tensor b, tensor c, double beta, double alpha) {
  MDT_TENSOR(at::baddbmm(*a, *b, *c, beta, alpha));
}

MDT_API tensor mdt_einsum(const char* equation, const tensor* operands, int32_t count) {
  MDT_TENSOR(at::einsum(equation, list(operands, count)));
}
