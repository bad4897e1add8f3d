// SPDX-License-Identifier: GPL-2.0-or-later
/* veneer image export: an OCI layout. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/interrupt.h"
#include "layer/stage.h"
#include "store/image.h"
#include "store/layertar.h"
#include "verbs/verb.h"

struct layout {
	struct store *store;
	int blobs;		/* blobs/sha256 */
	json_t *layers;		/* descriptors, for the manifest */
	json_t *diff_ids;
};

static json_t *descriptor(const char *type, const char *digest, uint64_t size)
{
	return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size",
			 (json_int_t)size);
}

static int write_layer(struct layout *layout, const json_t *layers, size_t index,
		       struct fault *fault)
{
	const char *id = json_string_value(json_array_get(layers, index));
	AUTO_FREE char *path = store_path(layout->store, STORE_LAYER, id, "tree");
	AUTO_FD fd = openat(layout->blobs, "new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	char diff_id[DIGEST_TEXT_SIZE];
	uint64_t bytes;

	if (fd < 0 || !path)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make a file");
	if (layertar_write(layout->store, path, layers, index, fd, diff_id, &bytes, fault) < 0)
		return fault_wrap(fault, "layer %.12s", id);
	if (renameat(layout->blobs, "new", layout->blobs, diff_id + 7) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot name a file");
	return json_array_append_new(layout->layers,
				     descriptor("application/vnd.oci.image.layer.v1.tar",
						diff_id, bytes)) ||
	       json_array_append_new(layout->diff_ids, json_string(diff_id)) ?
		fault_no_memory(fault) : 0;
}

/* Write @json as a blob; what describes it, or NULL with @fault set. */
static json_t *write_json(struct layout *layout, const json_t *json, const char *type,
			  struct fault *fault)
{
	AUTO_FREE char *text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	char digest[DIGEST_TEXT_SIZE];

	if (!text) {
		fault_no_memory(fault);
		return NULL;
	}
	if (digest_bytes(text, strlen(text), digest, fault) < 0 ||
	    jsonfile_write_bytes(layout->blobs, digest + 7, text, strlen(text), fault) < 0)
		return NULL;
	return descriptor(type, digest, strlen(text));
}

static int write_index(int root, json_t *manifest, const json_t *config, const char *name,
		       struct fault *fault)
{
	static const char marker[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	AUTO_JSON *index = NULL;

	if (json_set(manifest, "platform",
		     json_pack("{s:s, s:s}", "architecture", json_text(config, "architecture"),
			       "os", json_text(config, "os")), fault) < 0 ||
	    (*name && json_set(manifest, "annotations",
			       json_pack("{s:s}", "org.opencontainers.image.ref.name", name),
			       fault) < 0))
		return -1;
	index = json_pack("{s:i, s:s, s:[O]}", "schemaVersion", 2, "mediaType",
			  "application/vnd.oci.image.index.v1+json", "manifests", manifest);
	if (!index)
		return fault_no_memory(fault);
	if (jsonfile_write(root, "index.json", index, fault) < 0)
		return -1;
	return jsonfile_write_bytes(root, "oci-layout", marker, strlen(marker), fault);
}

static int write_layout(struct layout *layout, int root, const char *id, const char *name,
			struct fault *fault)
{
	AUTO_JSON *facts = store_facts(layout->store, STORE_IMAGE, id, fault);
	AUTO_JSON *config = facts ? image_config(layout->store, id, fault) : NULL;
	AUTO_JSON *manifest = NULL, *described = NULL;
	const json_t *layers = json_object_get(facts, "layers");
	json_t *config_descriptor;

	if (!config)
		return -1;
	for (size_t i = 0; i < json_array_size(layers); i++) {
		if (write_layer(layout, layers, i, fault) < 0)
			return -1;
	}
	/* The tars are new ones, with digests of their own. */
	if (json_set(json_object_get(config, "rootfs"), "diff_ids",
		     json_incref(layout->diff_ids), fault) < 0)
		return -1;
	config_descriptor = write_json(layout, config, "application/vnd.oci.image.config.v1+json",
				       fault);
	if (!config_descriptor)
		return -1;
	manifest = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType",
			     "application/vnd.oci.image.manifest.v1+json", "config",
			     config_descriptor, "layers", layout->layers);
	described = write_json(layout, manifest, "application/vnd.oci.image.manifest.v1+json", fault);
	return described ? write_index(root, described, config, name, fault) : -1;
}

static int export(const char *word, const char *directory, const char *name,
		  struct fault *fault)
{
	CLEANUP(stage_end) struct stage stage = STAGE_INIT;
	AUTO_STORE store = STORE_INIT;
	AUTO_JSON *layers = json_array(), *diff_ids = json_array();
	AUTO_FREE char *id = NULL;
	AUTO_FD blobs = -1;
	struct layout layout = { .store = &store, .layers = layers, .diff_ids = diff_ids };

	/* Looking all the while keeps the layers where they are. */
	if (store_open(&store, STORE_LOOK, fault) < 0)
		return -1;
	id = image_find(&store, word, fault);
	if (!id || stage_begin(&stage, directory, fault) < 0)
		return -1;
	if (fchmod(stage.root, 0755) < 0 || mkdirat(stage.root, "blobs", 0755) < 0 ||
	    mkdirat(stage.root, "blobs/sha256", 0755) < 0 ||
	    (blobs = openat(stage.root, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fault_errno(fault, EXIT_SYSTEM, errno, "cannot make its directories");
	layout.blobs = blobs;
	if (write_layout(&layout, stage.root, id, name, fault) < 0)
		return -1;
	return stage_commit(&stage, fault);
}

/* The tag, which is what tools of OCI layouts go by. */
static const char *tag_of(const char *word)
{
	const char *slash = strrchr(word, '/');
	const char *colon = strchr(slash ? slash : word, ':');

	return colon ? colon + 1 : "latest";
}

static int run(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "ref", required_argument, NULL, 'R' },
		{ 0 },
	};
	const char *name = NULL;
	int option;

	while ((option = verb_option(argc, argv, ":", options, fault)) != -1) {
		if (option == '?')
			return -1;
		name = optarg;
	}
	if (argc - optind != 2)
		return verb_misused(&verb_image_export, fault);
	interrupt_catch();
	if (export(argv[optind], argv[optind + 1], name ? name : tag_of(argv[optind]), fault) < 0)
		return fault_wrap(fault, "cannot export \"%s\" to \"%s\"", argv[optind],
				  argv[optind + 1]);
	return 0;
}

const struct verb verb_image_export = {
	.name = "image export",
	.usage = "[--ref NAME] IMAGE DIR",
	.summary = "write an image as an OCI layout",
	.help =
"DIR is made, completely or not at all, and read by any tool that reads OCI layouts\n"
"(skopeo copy oci:DIR:TAG ...). The trees are the same; the tars are written anew,\n"
"so that an image that was imported has other digests there.\n\n"
"  --ref NAME   what the layout calls the image (default: its tag)\n",
	.run = run,
};
