/* libvpx behind functions without structures: what its structures look like changes from version to version, and the
 * headers that are installed know. Called by src/video/vp8/ffi.rs alone, which says what each promises. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

/* Beyond the codes of libvpx (vpx_codec_err_t). */
enum { NO_MEMORY = -2, CORRUPTED = -3, FORMAT = -4 };

/* The share of layer 0, in percent: it comes every second frame, and what refers to it is near. */
enum { BASE_SHARE = 60 };

typedef struct {
  vpx_codec_ctx_t codec;
  vpx_codec_enc_cfg_t config;
} encoder;

static void set_rate(vpx_codec_enc_cfg_t *config, uint32_t bitrate) {
  unsigned kilobits = (bitrate + 500) / 1000;
  if (kilobits < 2) kilobits = 2;
  config->rc_target_bitrate = kilobits;
  config->ts_target_bitrate[0] = kilobits * BASE_SHARE / 100;
  config->ts_target_bitrate[1] = kilobits;
}

static int set_up(encoder *self, uint32_t frame_rate, int speed, int screen) {
  vpx_codec_ctx_t *codec = &self->codec;
  vpx_codec_err_t error = vpx_codec_enc_init(codec, vpx_codec_vp8_cx(), &self->config, 0);
  if (error) return error;
  /* A keyframe may take the room of the whole buffer, half full. */
  unsigned keyframe = self->config.rc_buf_optimal_sz / 2 * frame_rate / 10;
  if (keyframe < 300) keyframe = 300;
  error = vpx_codec_control(codec, VP8E_SET_CPUUSED, -speed);
  if (!error) error = vpx_codec_control(codec, VP8E_SET_STATIC_THRESHOLD, screen ? 100u : 1u);
  if (!error) error = vpx_codec_control(codec, VP8E_SET_NOISE_SENSITIVITY, 0u);
  if (!error) error = vpx_codec_control(codec, VP8E_SET_TOKEN_PARTITIONS, (int)VP8_ONE_TOKENPARTITION);
  if (!error) error = vpx_codec_control(codec, VP8E_SET_ENABLEAUTOALTREF, 0u);
  if (!error) error = vpx_codec_control(codec, VP8E_SET_MAX_INTRA_BITRATE_PCT, keyframe);
  if (!error) error = vpx_codec_control(codec, VP8E_SET_SCREEN_CONTENT_MODE, screen ? 1u : 0u);
  if (error) vpx_codec_destroy(codec);
  return error;
}

encoder *carillon_vp8_encoder_open(uint32_t width, uint32_t height, uint32_t frame_rate, uint32_t bitrate, int speed,
                                   int screen, int *code) {
  encoder *self = calloc(1, sizeof *self);
  if (!self) {
    *code = NO_MEMORY;
    return NULL;
  }
  vpx_codec_enc_cfg_t *config = &self->config;
  *code = vpx_codec_enc_config_default(vpx_codec_vp8_cx(), config, 0);
  if (*code) {
    free(self);
    return NULL;
  }
  config->g_w = width;
  config->g_h = height;
  config->g_threads = 1;
  config->g_timebase.num = 1;
  config->g_timebase.den = 90000;
  config->g_lag_in_frames = 0;
  config->g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
  config->rc_end_usage = VPX_CBR;
  config->rc_dropframe_thresh = screen ? 0 : 30;
  config->rc_resize_allowed = 0;
  config->rc_min_quantizer = 2;
  config->rc_max_quantizer = 56;
  config->rc_undershoot_pct = 100;
  config->rc_overshoot_pct = 15;
  config->rc_buf_initial_sz = 500;
  config->rc_buf_optimal_sz = 600;
  config->rc_buf_sz = 1000;
  /* Keyframes come when they are asked for. */
  config->kf_mode = VPX_KF_DISABLED;
  config->ts_number_layers = 2;
  config->ts_periodicity = 2;
  config->ts_rate_decimator[0] = 2;
  config->ts_rate_decimator[1] = 1;
  config->ts_layer_id[0] = 0;
  config->ts_layer_id[1] = 1;
  set_rate(config, bitrate);
  *code = set_up(self, frame_rate, speed, screen);
  if (*code) {
    free(self);
    return NULL;
  }
  return self;
}

int carillon_vp8_encoder_set_bitrate(encoder *self, uint32_t bitrate) {
  set_rate(&self->config, bitrate);
  return vpx_codec_enc_config_set(&self->codec, &self->config);
}

int carillon_vp8_encode(encoder *self, const uint8_t *y, const uint8_t *u, const uint8_t *v, int64_t time,
                        uint32_t duration, int layer, int keyframe, const uint8_t **data, size_t *length,
                        int *is_keyframe) {
  vpx_image_t image;
  *data = NULL;
  *length = 0;
  *is_keyframe = 0;
  if (!vpx_img_wrap(&image, VPX_IMG_FMT_I420, self->config.g_w, self->config.g_h, 1, (uint8_t *)y)) return FORMAT;
  image.planes[VPX_PLANE_U] = (uint8_t *)u;
  image.planes[VPX_PLANE_V] = (uint8_t *)v;
  image.stride[VPX_PLANE_Y] = (int)self->config.g_w;
  image.stride[VPX_PLANE_U] = image.stride[VPX_PLANE_V] = (int)self->config.g_w / 2;
  /* Every frame refers to the last one of layer 0 and to nothing else; those of layer 1 leave nothing behind. */
  vpx_enc_frame_flags_t flags = VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF | VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF;
  if (layer) flags |= VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_ENTROPY;
  if (keyframe) flags = VPX_EFLAG_FORCE_KF;
  vpx_codec_err_t error = vpx_codec_control(&self->codec, VP8E_SET_TEMPORAL_LAYER_ID, layer);
  if (error) return error;
  error = vpx_codec_encode(&self->codec, &image, time, duration, flags, VPX_DL_REALTIME);
  if (error) return error;
  vpx_codec_iter_t iterator = NULL;
  const vpx_codec_cx_pkt_t *packet;
  while ((packet = vpx_codec_get_cx_data(&self->codec, &iterator))) {
    if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
    *data = packet->data.frame.buf;
    *length = packet->data.frame.sz;
    *is_keyframe = (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
    break;
  }
  return 0;
}

void carillon_vp8_encoder_close(encoder *self) {
  vpx_codec_destroy(&self->codec);
  free(self);
}

typedef struct {
  vpx_codec_ctx_t codec;
} decoder;

decoder *carillon_vp8_decoder_open(int *code) {
  decoder *self = calloc(1, sizeof *self);
  if (!self) {
    *code = NO_MEMORY;
    return NULL;
  }
  vpx_codec_dec_cfg_t config;
  memset(&config, 0, sizeof config);
  config.threads = 1;
  *code = vpx_codec_dec_init(&self->codec, vpx_codec_vp8_dx(), &config, 0);
  if (*code) {
    free(self);
    return NULL;
  }
  return self;
}

int carillon_vp8_decode(decoder *self, const uint8_t *data, uint32_t length, const uint8_t *planes[3], int strides[3],
                        uint32_t *width, uint32_t *height) {
  planes[0] = planes[1] = planes[2] = NULL;
  vpx_codec_err_t error = vpx_codec_decode(&self->codec, data, length, NULL, 0);
  if (error) return error;
  /* Before the picture is asked for: that is when the decoder still knows. */
  int corrupted = 0;
  error = vpx_codec_control(&self->codec, VP8D_GET_FRAME_CORRUPTED, &corrupted);
  if (error) return error;
  if (corrupted) return CORRUPTED;
  vpx_codec_iter_t iterator = NULL;
  const vpx_image_t *image = vpx_codec_get_frame(&self->codec, &iterator);
  if (!image) return 0;
  if (image->fmt != VPX_IMG_FMT_I420) return FORMAT;
  for (int plane = 0; plane < 3; plane++) {
    planes[plane] = image->planes[plane];
    strides[plane] = image->stride[plane];
  }
  *width = image->d_w;
  *height = image->d_h;
  return 0;
}

void carillon_vp8_decoder_close(decoder *self) {
  vpx_codec_destroy(&self->codec);
  free(self);
}
