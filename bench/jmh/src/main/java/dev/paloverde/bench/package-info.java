/**
 * What the CPU kernels reach, against what the CPU can do. {@link dev.paloverde.bench.Roofline} measures the limits in
 * the same run: fused multiply-adds that never leave the registers, and memory read and copied. {@link
 * dev.paloverde.bench.Products}, {@link dev.paloverde.bench.AttentionSteps} and {@link
 * dev.paloverde.bench.VocabularyScans} measure the kernels. {@link dev.paloverde.bench.KernelBenchmarks} runs all and
 * writes {@code bench/cpu/kernels.jsonl}:
 *
 * <pre>
 * mvn -Pbench -pl bench/jmh -am -DskipTests package
 * java --add-modules=jdk.incubator.vector -jar bench/jmh/target/kernel-benchmarks.jar bench/cpu/kernels.jsonl
 * </pre>
 */
package dev.paloverde.bench;
