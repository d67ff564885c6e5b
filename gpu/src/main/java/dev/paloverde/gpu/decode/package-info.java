/** The engine: requests in, completions out. */
package dev.paloverde.gpu.decode;
