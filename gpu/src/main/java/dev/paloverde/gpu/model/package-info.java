/**
 * Hugging Face model directories, as they are. Names of tensors and of model families live here and nowhere else.
 */
package dev.paloverde.gpu.model;
