// The kernels of a family of products and the list by which a host chooses one, at the end of a source that has defined
// PRODUCTS_ALL(KERNEL), which gives KERNEL every form there is, and of one form PRODUCTS_KERNEL, which defines the kernel, and
// PRODUCTS_ENTRY, eight numbers that products.cuh explains.
#pragma once

#define PRODUCTS_COUNT(...) +1

PRODUCTS_ALL(PRODUCTS_KERNEL)

struct ProductsCatalog {
    int count;
    int entries[0 PRODUCTS_ALL(PRODUCTS_COUNT)][8];
};
extern "C" __device__ const ProductsCatalog products_catalog = {0 PRODUCTS_ALL(PRODUCTS_COUNT),
                                                                {PRODUCTS_ALL(PRODUCTS_ENTRY)}};
