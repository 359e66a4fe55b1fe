# syntax=docker/dockerfile:1
# Two stages: build the bundle and the addon; keep Node, the bundle and the addon, and nothing else.
# Both base images can be replaced, for mirrors and for building without a registry.
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm
ARG RUN_IMAGE=docker.io/library/node:24-bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /garpoon
COPY package.json package-lock.json .npmrc ./
# The image has its own Node 24, so the one that package.json brings for developers is left out.
RUN npm ci --omit=optional
COPY binding.gyp tsconfig.json ./
COPY native native
COPY scripts scripts
COPY deploy/crds deploy/crds
COPY src src
RUN npm run build:native && node scripts/bundle.mjs

FROM ${RUN_IMAGE}
WORKDIR /garpoon
COPY --from=build /garpoon/dist dist
COPY --from=build /garpoon/build/Release/garpoon.node dist/garpoon.node
COPY LICENSE ./
ENV NODE_ENV=production
ENTRYPOINT ["node", "/garpoon/dist/garpoon.mjs"]
