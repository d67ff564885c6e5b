/**
 * The arithmetic of speculation, without an engine: {@link dev.paloverde.gpu.decode.speculate.MissCurve}, how often an
 * outcome is not among the guesses; {@link dev.paloverde.gpu.decode.speculate.FanOut}, how guesses are best shared out;
 * {@link dev.paloverde.gpu.decode.speculate.SpeedModel}, how fast all of it is, from what was measured.
 */
package dev.paloverde.gpu.decode.speculate;
