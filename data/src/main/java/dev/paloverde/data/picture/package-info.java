/**
 * The sample corpus in pictures. {@link dev.paloverde.data.picture.SceneDrawing} draws the very scene that a caption
 * tells; {@link dev.paloverde.data.picture.DriveDrawing} draws what the camera of a rover sees on a drive that a trace
 * records. Both put {@link dev.paloverde.data.picture.Figures} on a {@link dev.paloverde.data.picture.Canvas}.
 *
 * <p>The pixels are the same on every Java platform: everything is a filled polygon with whole coordinates, drawn four
 * times as large without anti-aliasing and averaged in whole numbers; there are no fonts, no strokes and no curves, and
 * angles go through {@link java.lang.StrictMath}. The bytes of a PNG or GIF may differ, since platforms compress
 * differently.
 *
 * <p>{@link dev.paloverde.data.picture.ImageText} and {@link dev.paloverde.data.picture.Videos} write them as they
 * are usually found: a webdataset shard, and folders of frames with an animated GIF.
 */
package dev.paloverde.data.picture;
