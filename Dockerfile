# syntax=docker/dockerfile:1
# Two stages: the first builds the bundle and the addon, the second adds them to a Node image and has no compiler.
# Both base images can be replaced, for mirrors and for building without a registry. They need the same C library.
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm
ARG RUN_IMAGE=docker.io/library/node:24-bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /garpoon
COPY package.json package-lock.json .npmrc ./
# The Node that package.json brings for developers goes, so that the image's own builds the addon, with its own headers.
# Not by --omit=optional, which would leave out esbuild's binary as well.
RUN npm ci && rm -rf node_modules/node-linux-* node_modules/.bin/node
COPY binding.gyp ./
COPY native native
COPY scripts scripts
RUN npm run build:native
COPY tsconfig.json ./
COPY deploy/crds deploy/crds
COPY src src
RUN node scripts/bundle.mjs

FROM ${RUN_IMAGE}
WORKDIR /garpoon
COPY --from=build /garpoon/dist dist
COPY --from=build /garpoon/build/Release/garpoon.node dist/garpoon.node
COPY LICENSE ./
ENV NODE_ENV=production
ENTRYPOINT ["node", "/garpoon/dist/garpoon.mjs"]
