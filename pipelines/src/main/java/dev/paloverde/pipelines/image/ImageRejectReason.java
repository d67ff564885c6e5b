package dev.paloverde.pipelines.image;

/** Why an image sample is not kept: few, stable and countable. The first that holds is given. */
public enum ImageRejectReason {
    /** The shard, or the table, cannot be opened, or is gone. */
    UNREADABLE_SHARD,
    /**
     * The shard ends, or is damaged, within this member, and what stood before it is read; or a table has fewer rows that can
     * be read than it promises.
     */
    TRUNCATED_SHARD,
    /** The member's path leaves the shard, or it is a link or a device. */
    UNSAFE_MEMBER,
    /** The member is larger than allowed. */
    MEMBER_TOO_LARGE,
    /** The shard has the key a second time, or a part of the sample twice. */
    DUPLICATE_KEY,
    /** The sample has no image. */
    NO_IMAGE,
    /** The caption is longer than allowed. */
    CAPTION_TOO_LARGE,
    /** The caption is not UTF-8. */
    INVALID_CAPTION,
    /** The bytes are no image, or not all of one. */
    INVALID_IMAGE,
    /** The image claims more pixels than allowed; it was not decoded. */
    IMAGE_TOO_LARGE,
    /** A side is shorter than allowed. */
    TOO_SMALL,
    /** One side is too many times the other. */
    ASPECT,
    /** It is all of one colour, or nearly. */
    BLANK,
    /** It is an animation, and those were not asked for. */
    ANIMATED,
    /** The user's function holds it to be not safe for work. */
    NSFW,
    /** The user's function holds that the caption does not fit it. */
    MISALIGNED,
    /** The same bytes stand in another sample. */
    EXACT_DUPLICATE,
    /** Another image looks like it. */
    NEAR_DUPLICATE
}
