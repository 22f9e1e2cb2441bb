// Made by `npm run generate` from docs/options.schema.json: change it there, not here.
import type { Classes, Colour, Format, Gravity } from "../values.js";

/** Options of a picture's URL. Names as they stand in URLs work as well, short ones too. */
export interface Options extends OptionsByOtherNames {
  /**
   * Use one or more presets, in the order given; options after it override what they set.
   *
   * In a URL: `preset:grid`.
   */
  preset?: readonly string[] | {
      /** names of presets */
      names: readonly string[];
    } | undefined;
  /**
   * Make all but the object transparent; a worker finds the object, once for all sizes and formats.
   *
   * In a URL: `remove_background:1`.
   */
  removeBackground?: boolean | {
      /** 1 = do it */
      on: boolean;
    } | undefined;
  /**
   * Enlarge the source by a model before anything else is done with it.
   *
   * In a URL: `upscale:2`.
   */
  upscale?: number | {
      /** how many times as wide and as high. 1 to 8. Default: 2 */
      factor?: number | undefined;
    } | undefined;
  /**
   * Resizing type, width, height, enlarge and extend in one; what is left empty stays as it was.
   *
   * In a URL: `resize:fill:300:200`.
   */
  resize?: "fit" | "fill" | "fill-down" | "force" | "auto" | {
      /** as in `resizing_type` */
      type?: "fit" | "fill" | "fill-down" | "force" | "auto" | undefined;
      /** as in `width`. 0 or more */
      width?: number | undefined;
      /** as in `height`. 0 or more */
      height?: number | undefined;
      /** as in `enlarge` */
      enlarge?: boolean | undefined;
      /** as in `extend` */
      extend?: boolean | undefined;
      /** as in `extend` */
      extendGravity?: Gravity<"fp"> | undefined;
      /** The same as `extendGravity`. */
      extend_gravity?: Gravity<"fp"> | undefined;
    } | undefined;
  /**
   * Width, height, enlarge and extend in one; what is left empty stays as it was.
   *
   * In a URL: `size:300:200`.
   */
  size?: number | {
      /** as in `width`. 0 or more */
      width?: number | undefined;
      /** as in `height`. 0 or more */
      height?: number | undefined;
      /** as in `enlarge` */
      enlarge?: boolean | undefined;
      /** as in `extend` */
      extend?: boolean | undefined;
      /** as in `extend` */
      extendGravity?: Gravity<"fp"> | undefined;
      /** The same as `extendGravity`. */
      extend_gravity?: Gravity<"fp"> | undefined;
    } | undefined;
  /**
   * How the picture is made to fit width x height.
   *
   * `fit` keeps the whole picture inside, `fill` covers the box and crops the rest, `fill-down` is `fill` that, where the source is too small, keeps the aspect ratio at a smaller size, `force` stretches, `auto` is `fill` when source and box have the same orientation and `fit` when not.
   *
   * In a URL: `resizing_type:fill`.
   */
  resizingType?: "fit" | "fill" | "fill-down" | "force" | "auto" | {
      /** the way of fitting */
      resizingType?: "fit" | "fill" | "fill-down" | "force" | "auto" | undefined;
      /** The same as `resizingType`. */
      resizing_type?: "fit" | "fill" | "fill-down" | "force" | "auto" | undefined;
    } | undefined;
  /**
   * The width of the result in pixels before `dpr`; 0 follows from the height.
   *
   * In a URL: `width:300`.
   */
  width?: number | {
      /** pixels, 0 = automatic. 0 or more */
      width: number;
    } | undefined;
  /**
   * The height of the result in pixels before `dpr`; 0 follows from the width.
   *
   * In a URL: `height:200`.
   */
  height?: number | {
      /** pixels, 0 = automatic. 0 or more */
      height: number;
    } | undefined;
  /**
   * The picture is scaled to at least this width before it is cropped to the result.
   *
   * In a URL: `min-width:300`.
   */
  minWidth?: number | {
      /** pixels, 0 = no bound. 0 or more */
      minWidth?: number | undefined;
      /** The same as `minWidth`. */
      min_width?: number | undefined;
    } | undefined;
  /**
   * The picture is scaled to at least this height before it is cropped to the result.
   *
   * In a URL: `min-height:200`.
   */
  minHeight?: number | {
      /** pixels, 0 = no bound. 0 or more */
      minHeight?: number | undefined;
      /** The same as `minHeight`. */
      min_height?: number | undefined;
    } | undefined;
  /**
   * Multiply the size of the result; offsets and padding stay.
   *
   * In a URL: `zoom:1.5`.
   */
  zoom?: number | {
      /** factor of the width. Greater than 0 */
      zoomX?: number | undefined;
      /** The same as `zoomX`. */
      zoom_x?: number | undefined;
      /** factor of the height; the same as the width's if left out. Greater than 0 */
      zoomY?: number | undefined;
      /** The same as `zoomY`. */
      zoom_y?: number | undefined;
    } | undefined;
  /**
   * The device pixel ratio: multiplies the size of the result, absolute offsets and padding.
   *
   * In a URL: `dpr:2`.
   */
  dpr?: number | {
      /** factor. Greater than 0 */
      dpr: number;
    } | undefined;
  /**
   * Allow the result to be larger than the source.
   *
   * In a URL: `enlarge:1`.
   */
  enlarge?: boolean | {
      /** whether to enlarge */
      enlarge: boolean;
    } | undefined;
  /**
   * Fill the picture up to width x height with transparency or `background` where it is smaller.
   *
   * In a URL: `extend:1:so`.
   */
  extend?: boolean | {
      /** whether to extend */
      extend: boolean;
      /** where the picture sits */
      extendGravity?: Gravity<"fp"> | undefined;
      /** The same as `extendGravity`. */
      extend_gravity?: Gravity<"fp"> | undefined;
    } | undefined;
  /**
   * Fill the picture up to the aspect ratio of width x height; needs both.
   *
   * In a URL: `extend_aspect_ratio:1`.
   */
  extendAspectRatio?: boolean | {
      /** whether to extend */
      extendAspectRatio?: boolean | undefined;
      /** The same as `extendAspectRatio`. */
      extend_aspect_ratio?: boolean | undefined;
      /** where the picture sits */
      extendAspectRatioGravity?: Gravity<"fp"> | undefined;
      /** The same as `extendAspectRatioGravity`. */
      extend_aspect_ratio_gravity?: Gravity<"fp"> | undefined;
    } | undefined;
  /**
   * Which part of the picture stays when something is cut off.
   *
   * A side or corner with offsets, `sm` for the most interesting part as libvips finds it, `fp:x:y` for a focus point in shares of the picture, or what models find: `obj:face:dog` keeps as much as possible of faces and dogs, `objw:face:3:dog:1` counts faces three times. `face` and `text` have models of their own; `obj` alone, or the class `all`, is everything but text. The things that count most by weight, confidence and area stay whole; where none is found, it is `sm`. Class names are written with `_` or `-` for spaces, in any case.
   *
   * In a URL: `gravity:nowe:10:20`.
   */
  gravity?: Gravity<"sm" | "fp" | "obj" | "objw"> | {
      /** the part to keep */
      gravity: Gravity<"sm" | "fp" | "obj" | "objw">;
    } | undefined;
  /**
   * Where the objects of the gravities `obj` and `objw` sit in what is cut out, as far as they stay whole.
   *
   * A side or corner with offsets, `fp:x:y` for a point in shares of the cut, or `prop` for where they sit in the whole picture.
   *
   * In a URL: `objects_position:so:0:10`.
   */
  objectsPosition?: Gravity<"fp" | "prop"> | {
      /** the place of the objects */
      objectsPosition?: Gravity<"fp" | "prop"> | undefined;
      /** The same as `objectsPosition`. */
      objects_position?: Gravity<"fp" | "prop"> | undefined;
    } | undefined;
  /**
   * Cut a part out of the source before it is resized.
   *
   * In a URL: `crop:0.8:0.8:no`.
   */
  crop?: number | {
      /** 0 = the whole width, below 1 = a share of it, else source pixels. 0 or more */
      cropWidth?: number | undefined;
      /** The same as `cropWidth`. */
      crop_width?: number | undefined;
      /** the same for the height. 0 or more. Default: 0 */
      cropHeight?: number | undefined;
      /** The same as `cropHeight`. */
      crop_height?: number | undefined;
      /** where to cut; the general gravity if left out */
      cropGravity?: Gravity<"sm" | "fp" | "obj" | "objw"> | undefined;
      /** The same as `cropGravity`. */
      crop_gravity?: Gravity<"sm" | "fp" | "obj" | "objw"> | undefined;
    } | undefined;
  /**
   * Add space around the result, in CSS order; sides left out follow the opposite or the first one.
   *
   * In a URL: `padding:10:20`.
   */
  padding?: number | {
      /** pixels before `dpr`. 0 or more */
      paddingTop?: number | undefined;
      /** The same as `paddingTop`. */
      padding_top?: number | undefined;
      /** pixels, as top if left out. 0 or more */
      paddingRight?: number | undefined;
      /** The same as `paddingRight`. */
      padding_right?: number | undefined;
      /** pixels, as top if left out. 0 or more */
      paddingBottom?: number | undefined;
      /** The same as `paddingBottom`. */
      padding_bottom?: number | undefined;
      /** pixels, as right if left out. 0 or more */
      paddingLeft?: number | undefined;
      /** The same as `paddingLeft`. */
      padding_left?: number | undefined;
    } | undefined;
  /**
   * Turn the picture upright as its EXIF orientation says.
   *
   * In a URL: `auto_rotate:1`.
   */
  autoRotate?: boolean | {
      /** whether to obey EXIF */
      autoRotate?: boolean | undefined;
      /** The same as `autoRotate`. */
      auto_rotate?: boolean | undefined;
    } | undefined;
  /**
   * Turn the picture clockwise, after EXIF; negative angles turn the other way.
   *
   * In a URL: `rotate:90`.
   */
  rotate?: number | {
      /** degrees */
      rotate: number;
    } | undefined;
  /**
   * Mirror the picture, after it is turned.
   *
   * In a URL: `flip:1`.
   */
  flip?: boolean | {
      /** left becomes right */
      flipHorizontal?: boolean | undefined;
      /** The same as `flipHorizontal`. */
      flip_horizontal?: boolean | undefined;
      /** top becomes bottom. Default: 0 */
      flipVertical?: boolean | undefined;
      /** The same as `flipVertical`. */
      flip_vertical?: boolean | undefined;
    } | undefined;
  /**
   * Cut off edges of one colour; not for animations.
   *
   * In a URL: `trim:10`.
   */
  trim?: number | {
      /** how far a pixel may be from the colour, empty = off */
      threshold?: number | undefined;
      /** the colour of the edges, empty = that of the top left pixel */
      color?: Colour | undefined;
      /** cut the same from left and right */
      equalHor?: boolean | undefined;
      /** The same as `equalHor`. */
      equal_hor?: boolean | undefined;
      /** cut the same from top and bottom */
      equalVer?: boolean | undefined;
      /** The same as `equalVer`. */
      equal_ver?: boolean | undefined;
    } | undefined;
  /**
   * Cut to the subject: all that is neither transparent nor, in an opaque picture, of the background's colour.
   *
   * The subject is never cut: `fill` shows more of what surrounds it, and is filled up as by `extend` beyond that.
   *
   * In a URL: `autocrop:50:10`.
   */
  autocrop?: number | {
      /** source pixels that stay around the subject. 0 or more. Default: 0 */
      margin?: number | undefined;
      /** how far a pixel may be from nothing. 0 to 255. Default: 10 */
      threshold?: number | undefined;
    } | undefined;
  /**
   * Blur the picture.
   *
   * In a URL: `blur:5`.
   */
  blur?: number | {
      /** standard deviation in result pixels, 0 = off. 0 to 1000 */
      sigma: number;
    } | undefined;
  /**
   * Sharpen the picture.
   *
   * In a URL: `sharpen:0.5`.
   */
  sharpen?: number | {
      /** standard deviation in result pixels, 0 = off. 0 to 10 */
      sigma: number;
    } | undefined;
  /**
   * Show the picture in blocks of one colour each.
   *
   * In a URL: `pixelate:10`.
   */
  pixelate?: number | {
      /** side of a block in result pixels, 0 or 1 = off. 0 or more */
      size: number;
    } | undefined;
  /**
   * Cut to the things that are found, before anything is measured; what `crop` says does not count then.
   *
   * For `fill` and `fill-down`, more of what surrounds them is shown, towards the aspect ratio of the result. Where nothing is found, nothing is cut, and `crop` counts. It has no short name: imgproxy's documentation gives `co` to this option and to `contrast`. Frames of an animation are cut as the first one is.
   *
   * In a URL: `crop_objects:1.5:face`.
   */
  cropObjects?: number | {
      /** size of the cut: 1 = just around the things, 2 = twice as wide. Greater than 0, up to 100 */
      scale: number;
      /** what to look for; `face` and `text` have models of their own */
      classes?: Classes | undefined;
    } | undefined;
  /**
   * Make what is found unrecognisable, and some of what surrounds it.
   *
   * The blur is as strong as is asked for, and never weaker than what hides a thing of this size: a sixth of its longer side. Metadata goes with it, as it may hold a preview of the whole picture. Sources that are served as they are, and animations, whose later frames no model has seen, are refused.
   *
   * In a URL: `blur_detections:10:face`.
   */
  blurDetections?: number | {
      /** standard deviation in result pixels before `dpr`, at least; 0 = off. 0 to 1000 */
      sigma: number;
      /** what to look for; `face` and `text` have models of their own */
      classes?: Classes | undefined;
    } | undefined;
  /**
   * Draw a frame around all that is found, with its class and how sure the model is: to see what models see.
   *
   * In a URL: `draw_detections:1:face`.
   */
  drawDetections?: boolean | {
      /** 1 = do it */
      draw: boolean;
      /** what to look for; `face` and `text` have models of their own */
      classes?: Classes | undefined;
    } | undefined;
  /**
   * Round the corners; with `max` the picture becomes a circle or a pill.
   *
   * In a URL: `round:20`.
   */
  round?: number | "max" | {
      /** pixels before `dpr`, or max */
      radius: number | "max";
    } | undefined;
  /**
   * Let the picture's shape cast a soft shadow; width and height include it.
   *
   * In a URL: `shadow:10:0.4:0:8:000000`.
   */
  shadow?: number | {
      /** softness in result pixels before `dpr`. 0 to 250. Default: 10 */
      sigma?: number | undefined;
      /** 0 = no shadow. 0 to 1. Default: 0.4 */
      opacity?: number | undefined;
      /** to the right, in pixels before `dpr`. -1000 to 1000. Default: 0 */
      dx?: number | undefined;
      /** downwards, in pixels before `dpr`. -1000 to 1000. Default: 8 */
      dy?: number | undefined;
      /** the colour of the shadow. Default: 000000 */
      color?: Colour | undefined;
    } | undefined;
  /**
   * Put the operator's watermark over the picture; `re` tiles it over the whole of it.
   *
   * In a URL: `watermark:0.5:soea:10:10:0.2`.
   */
  watermark?: number | {
      /** 0 = off, times the operator's. 0 to 1 */
      opacity?: number | undefined;
      /** where it sits, centre if left out */
      position?: "ce" | "no" | "so" | "ea" | "we" | "noea" | "nowe" | "soea" | "sowe" | "re" | undefined;
      /** offset, or the space between tiles: pixels, below 1 a share */
      x?: number | undefined;
      /** the same for the other axis */
      y?: number | undefined;
      /** share of the picture that it fits into, 0 = natural size. 0 or more */
      scale?: number | undefined;
    } | undefined;
  /**
   * Put the picture on a colour, which takes the place of transparency; empty turns it off again.
   *
   * In a URL: `background:ffddee`.
   */
  background?: Colour | {
      /** hex digits or R:G:B, empty = off */
      background?: Colour | undefined;
    } | undefined;
  /**
   * Leave EXIF, IPTC and XMP out of the result.
   *
   * In a URL: `strip_metadata:1`.
   */
  stripMetadata?: boolean | {
      /** whether to strip */
      stripMetadata?: boolean | undefined;
      /** The same as `stripMetadata`. */
      strip_metadata?: boolean | undefined;
    } | undefined;
  /**
   * Keep copyright and author when metadata is stripped.
   *
   * In a URL: `keep_copyright:1`.
   */
  keepCopyright?: boolean | {
      /** whether to keep */
      keepCopyright?: boolean | undefined;
      /** The same as `keepCopyright`. */
      keep_copyright?: boolean | undefined;
    } | undefined;
  /**
   * Convert to sRGB and leave the colour profile out of the result.
   *
   * In a URL: `strip_color_profile:1`.
   */
  stripColorProfile?: boolean | {
      /** whether to strip */
      stripColorProfile?: boolean | undefined;
      /** The same as `stripColorProfile`. */
      strip_color_profile?: boolean | undefined;
    } | undefined;
  /**
   * Keep 16 bits a channel where the result's format can hold them.
   *
   * In a URL: `preserve_hdr:1`.
   */
  preserveHdr?: boolean | {
      /** whether to keep */
      preserveHdr?: boolean | undefined;
      /** The same as `preserveHdr`. */
      preserve_hdr?: boolean | undefined;
    } | undefined;
  /**
   * Work on the thumbnail inside an AVIF or HEIC source when there is one.
   *
   * In a URL: `enforce_thumbnail:1`.
   */
  enforceThumbnail?: boolean | {
      /** whether to use it */
      enforceThumbnail?: boolean | undefined;
      /** The same as `enforceThumbnail`. */
      enforce_thumbnail?: boolean | undefined;
    } | undefined;
  /**
   * The quality of lossy formats; 0 takes the default of the format.
   *
   * In a URL: `quality:75`.
   */
  quality?: number | {
      /** 1 to 100, 0 = automatic. 0 to 100 */
      quality: number;
    } | undefined;
  /**
   * Qualities for single formats, used where `quality` is not given.
   *
   * In a URL: `format_quality:jpeg:75:webp:70`.
   */
  formatQuality?: Partial<Record<Format, number>> | {
      /** format and quality in turn */
      formatQuality?: Partial<Record<Format, number>> | undefined;
      /** The same as `formatQuality`. */
      format_quality?: Partial<Record<Format, number>> | undefined;
    } | undefined;
  /**
   * Lower the quality until the result has at most this many bytes.
   *
   * In a URL: `max_bytes:20000`.
   */
  maxBytes?: number | {
      /** bytes, 0 = no bound. 0 or more */
      maxBytes?: number | undefined;
      /** The same as `maxBytes`. */
      max_bytes?: number | undefined;
    } | undefined;
  /**
   * The format of the result; without it the best one that the client accepts, or the source's.
   *
   * In a URL: `format:webp`.
   */
  format?: Format | {
      /** a format name */
      format: Format;
    } | undefined;
  /**
   * Answer with the best of AVIF and WebP that the client accepts, where the URL names no format.
   *
   * It does for one URL what IMGSERVE_AUTO_AVIF and IMGSERVE_AUTO_WEBP do for all.
   *
   * In a URL: `negotiate:1`.
   */
  negotiate?: boolean | {
      /** whether to negotiate */
      negotiate: boolean;
    } | undefined;
  /**
   * Serve sources of these formats as they are.
   *
   * In a URL: `skip_processing:svg:gif`.
   */
  skipProcessing?: readonly Format[] | {
      /** format names */
      skipProcessing?: readonly Format[] | undefined;
      /** The same as `skipProcessing`. */
      skip_processing?: readonly Format[] | undefined;
    } | undefined;
  /**
   * Stream the source's bytes untouched.
   *
   * In a URL: `raw:1`.
   */
  raw?: boolean | {
      /** whether to stream */
      raw: boolean;
    } | undefined;
  /**
   * Any text: it makes another URL of the same picture, for caches in front of the server.
   *
   * In a URL: `cachebuster:v2`.
   */
  cachebuster?: string | {
      /** any text. Default: empty */
      value?: string | undefined;
    } | undefined;
  /**
   * Tags that a purge, here or in a CDN, finds the picture by.
   *
   * In a URL: `cache_tags:sale:summer`.
   */
  cacheTags?: readonly string[] | {
      /** letters, digits and - _ . of ASCII, 64 at most each */
      tags: readonly string[];
    } | undefined;
  /**
   * The URL stops working at this time; the answer's freshness ends with it.
   *
   * In a URL: `expires:32503669200`.
   */
  expires?: number | {
      /** seconds since 1970 (Unix time), 0 or less = never. At most 253402300799 */
      timestamp: number;
    } | undefined;
  /**
   * The name under which browsers save the picture, without extension.
   *
   * In a URL: `filename:product`.
   */
  filename?: string | {
      /** the name */
      name: string;
      /** whether the name is base64url-encoded. Default: 0 */
      encoded?: boolean | undefined;
    } | undefined;
  /**
   * Have browsers save the picture in place of showing it.
   *
   * In a URL: `return_attachment:1`.
   */
  returnAttachment?: boolean | {
      /** whether to save */
      attachment: boolean;
    } | undefined;
  /**
   * Refuse sources with more pixels.
   *
   * Works only where the server allows options that change limits.
   *
   * In a URL: `max_src_resolution:25`.
   */
  maxSrcResolution?: number | {
      /** megapixels, 0 = no bound. 0 or more */
      megapixels: number;
    } | undefined;
  /**
   * Refuse sources with more bytes.
   *
   * Works only where the server allows options that change limits.
   *
   * In a URL: `max_src_file_size:10000000`.
   */
  maxSrcFileSize?: number | {
      /** bytes, 0 = no bound. 0 or more */
      sizeBytes?: number | undefined;
      /** The same as `sizeBytes`. */
      size_bytes?: number | undefined;
    } | undefined;
  /**
   * Read at most this many frames of an animation.
   *
   * Works only where the server allows options that change limits.
   *
   * In a URL: `max_animation_frames:50`.
   */
  maxAnimationFrames?: number | {
      /** frames. 1 or more */
      frames: number;
    } | undefined;
  /**
   * Refuse animations with more pixels a frame.
   *
   * Works only where the server allows options that change limits.
   *
   * In a URL: `max_animation_frame_resolution:2`.
   */
  maxAnimationFrameResolution?: number | {
      /** megapixels, 0 = no bound of its own. 0 or more */
      megapixels: number;
    } | undefined;
  /**
   * Scale larger results down to this size.
   *
   * Works only where the server allows options that change limits.
   *
   * In a URL: `max_result_dimension:2000`.
   */
  maxResultDimension?: number | {
      /** pixels a side, 0 or less = no bound */
      pixels: number;
    } | undefined;
}

/** The same options by their other names. */
export interface OptionsByOtherNames {
  /** Another name of {@link Options.preset}. */
  pr?: Options["preset"];
  /** Another name of {@link Options.removeBackground}. */
  remove_background?: Options["removeBackground"];
  /** Another name of {@link Options.removeBackground}. */
  rmbg?: Options["removeBackground"];
  /** Another name of {@link Options.upscale}. */
  up?: Options["upscale"];
  /** Another name of {@link Options.resize}. */
  rs?: Options["resize"];
  /** Another name of {@link Options.size}. */
  s?: Options["size"];
  /** Another name of {@link Options.resizingType}. */
  resizing_type?: Options["resizingType"];
  /** Another name of {@link Options.resizingType}. */
  rt?: Options["resizingType"];
  /** Another name of {@link Options.width}. */
  w?: Options["width"];
  /** Another name of {@link Options.height}. */
  h?: Options["height"];
  /** Another name of {@link Options.minWidth}. */
  "min-width"?: Options["minWidth"];
  /** Another name of {@link Options.minWidth}. */
  min_width?: Options["minWidth"];
  /** Another name of {@link Options.minWidth}. */
  mw?: Options["minWidth"];
  /** Another name of {@link Options.minHeight}. */
  "min-height"?: Options["minHeight"];
  /** Another name of {@link Options.minHeight}. */
  min_height?: Options["minHeight"];
  /** Another name of {@link Options.minHeight}. */
  mh?: Options["minHeight"];
  /** Another name of {@link Options.zoom}. */
  z?: Options["zoom"];
  /** Another name of {@link Options.enlarge}. */
  el?: Options["enlarge"];
  /** Another name of {@link Options.extend}. */
  ex?: Options["extend"];
  /** Another name of {@link Options.extendAspectRatio}. */
  extend_aspect_ratio?: Options["extendAspectRatio"];
  /** Another name of {@link Options.extendAspectRatio}. */
  extend_ar?: Options["extendAspectRatio"];
  /** Another name of {@link Options.extendAspectRatio}. */
  exar?: Options["extendAspectRatio"];
  /** Another name of {@link Options.gravity}. */
  g?: Options["gravity"];
  /** Another name of {@link Options.objectsPosition}. */
  objects_position?: Options["objectsPosition"];
  /** Another name of {@link Options.objectsPosition}. */
  obj_pos?: Options["objectsPosition"];
  /** Another name of {@link Options.objectsPosition}. */
  op?: Options["objectsPosition"];
  /** Another name of {@link Options.crop}. */
  c?: Options["crop"];
  /** Another name of {@link Options.padding}. */
  pd?: Options["padding"];
  /** Another name of {@link Options.autoRotate}. */
  auto_rotate?: Options["autoRotate"];
  /** Another name of {@link Options.autoRotate}. */
  ar?: Options["autoRotate"];
  /** Another name of {@link Options.rotate}. */
  rot?: Options["rotate"];
  /** Another name of {@link Options.flip}. */
  fl?: Options["flip"];
  /** Another name of {@link Options.trim}. */
  t?: Options["trim"];
  /** Another name of {@link Options.autocrop}. */
  acr?: Options["autocrop"];
  /** Another name of {@link Options.blur}. */
  bl?: Options["blur"];
  /** Another name of {@link Options.sharpen}. */
  sh?: Options["sharpen"];
  /** Another name of {@link Options.pixelate}. */
  pix?: Options["pixelate"];
  /** Another name of {@link Options.cropObjects}. */
  crop_objects?: Options["cropObjects"];
  /** Another name of {@link Options.blurDetections}. */
  blur_detections?: Options["blurDetections"];
  /** Another name of {@link Options.blurDetections}. */
  bd?: Options["blurDetections"];
  /** Another name of {@link Options.drawDetections}. */
  draw_detections?: Options["drawDetections"];
  /** Another name of {@link Options.drawDetections}. */
  dd?: Options["drawDetections"];
  /** Another name of {@link Options.round}. */
  rnd?: Options["round"];
  /** Another name of {@link Options.shadow}. */
  shd?: Options["shadow"];
  /** Another name of {@link Options.watermark}. */
  wm?: Options["watermark"];
  /** Another name of {@link Options.background}. */
  bg?: Options["background"];
  /** Another name of {@link Options.stripMetadata}. */
  strip_metadata?: Options["stripMetadata"];
  /** Another name of {@link Options.stripMetadata}. */
  sm?: Options["stripMetadata"];
  /** Another name of {@link Options.keepCopyright}. */
  keep_copyright?: Options["keepCopyright"];
  /** Another name of {@link Options.keepCopyright}. */
  kcr?: Options["keepCopyright"];
  /** Another name of {@link Options.stripColorProfile}. */
  strip_color_profile?: Options["stripColorProfile"];
  /** Another name of {@link Options.stripColorProfile}. */
  scp?: Options["stripColorProfile"];
  /** Another name of {@link Options.preserveHdr}. */
  preserve_hdr?: Options["preserveHdr"];
  /** Another name of {@link Options.preserveHdr}. */
  ph?: Options["preserveHdr"];
  /** Another name of {@link Options.enforceThumbnail}. */
  enforce_thumbnail?: Options["enforceThumbnail"];
  /** Another name of {@link Options.enforceThumbnail}. */
  eth?: Options["enforceThumbnail"];
  /** Another name of {@link Options.quality}. */
  q?: Options["quality"];
  /** Another name of {@link Options.formatQuality}. */
  format_quality?: Options["formatQuality"];
  /** Another name of {@link Options.formatQuality}. */
  fq?: Options["formatQuality"];
  /** Another name of {@link Options.maxBytes}. */
  max_bytes?: Options["maxBytes"];
  /** Another name of {@link Options.maxBytes}. */
  mb?: Options["maxBytes"];
  /** Another name of {@link Options.format}. */
  f?: Options["format"];
  /** Another name of {@link Options.format}. */
  ext?: Options["format"];
  /** Another name of {@link Options.negotiate}. */
  ng?: Options["negotiate"];
  /** Another name of {@link Options.skipProcessing}. */
  skip_processing?: Options["skipProcessing"];
  /** Another name of {@link Options.skipProcessing}. */
  skp?: Options["skipProcessing"];
  /** Another name of {@link Options.cachebuster}. */
  cb?: Options["cachebuster"];
  /** Another name of {@link Options.cacheTags}. */
  cache_tags?: Options["cacheTags"];
  /** Another name of {@link Options.cacheTags}. */
  ct?: Options["cacheTags"];
  /** Another name of {@link Options.expires}. */
  exp?: Options["expires"];
  /** Another name of {@link Options.filename}. */
  fn?: Options["filename"];
  /** Another name of {@link Options.returnAttachment}. */
  return_attachment?: Options["returnAttachment"];
  /** Another name of {@link Options.returnAttachment}. */
  att?: Options["returnAttachment"];
  /** Another name of {@link Options.maxSrcResolution}. */
  max_src_resolution?: Options["maxSrcResolution"];
  /** Another name of {@link Options.maxSrcResolution}. */
  msr?: Options["maxSrcResolution"];
  /** Another name of {@link Options.maxSrcFileSize}. */
  max_src_file_size?: Options["maxSrcFileSize"];
  /** Another name of {@link Options.maxSrcFileSize}. */
  msfs?: Options["maxSrcFileSize"];
  /** Another name of {@link Options.maxAnimationFrames}. */
  max_animation_frames?: Options["maxAnimationFrames"];
  /** Another name of {@link Options.maxAnimationFrames}. */
  maf?: Options["maxAnimationFrames"];
  /** Another name of {@link Options.maxAnimationFrameResolution}. */
  max_animation_frame_resolution?: Options["maxAnimationFrameResolution"];
  /** Another name of {@link Options.maxAnimationFrameResolution}. */
  mafr?: Options["maxAnimationFrameResolution"];
  /** Another name of {@link Options.maxResultDimension}. */
  max_result_dimension?: Options["maxResultDimension"];
  /** Another name of {@link Options.maxResultDimension}. */
  mrd?: Options["maxResultDimension"];
}
